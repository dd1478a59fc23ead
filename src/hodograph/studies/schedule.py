"""How long tasks take in several worker processes that start each as soon as it may."""

import heapq
from collections.abc import Mapping, Sequence


def time_of_all(
    seconds: Mapping[str, float], needs: Mapping[str, Sequence[str]], workers: int
) -> float:
    """Seconds from the first task's start to the last one's end.

    Args:
        seconds: of every task that is left, by name, in the order in which they are started.
        needs: tasks that must have ended before; those not in `seconds` have.
        workers: processes, each with one task at a time.
    """
    waiting, running = list(seconds), list[tuple[float, str]]()
    ended, now = set[str](), 0.0
    while waiting or running:
        ready = [name for name in waiting if _may_start(needs[name], seconds, ended)]
        for name in ready[: workers - len(running)]:
            waiting.remove(name)
            heapq.heappush(running, (now + seconds[name], name))
        now, name = heapq.heappop(running)
        ended.add(name)
    return now


def _may_start(needs: Sequence[str], seconds: Mapping[str, float], ended: set[str]) -> bool:
    return all(need in ended or need not in seconds for need in needs)
