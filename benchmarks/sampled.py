"""CPU seconds of parts of a program, by sampling: what is measured runs as it would without.

A timer of the process's CPU time interrupts the main thread. The CPU time since the interrupt
before goes to the innermost of the named functions on the stack. Interrupts that come while a
library computes wait until it returns, and bring its whole time with them.
"""

import resource
import signal
import time
from collections.abc import Callable
from types import CodeType, FrameType

INTERVAL = 0.004  # seconds; most systems' timers tell no less
CHILDREN = "child processes"


def sampled(
    work: Callable[[], object], parts: dict[Callable[..., object], str]
) -> dict[str, float]:
    """CPU seconds of each part, of child processes where there are any, and of the whole.

    Args:
        work: what is measured; computes in the main thread.
        parts: functions, and the part that each belongs to.

    Returns:
        Seconds by part, and under "all".

    Raises:
        RuntimeError: a part was never seen at work: it is not called any more, or took no time.
    """
    named: dict[CodeType, str] = {function.__code__: part for function, part in parts.items()}
    taken = dict.fromkeys(parts.values(), 0.0)
    last = time.process_time()

    def attribute(_: int, frame: FrameType | None) -> None:
        nonlocal last
        now = time.process_time()
        while frame is not None and frame.f_code not in named:
            frame = frame.f_back
        if frame is not None:
            taken[named[frame.f_code]] += now - last
        last = now

    before, start, children = signal.signal(signal.SIGPROF, attribute), last, _of_children()
    signal.setitimer(signal.ITIMER_PROF, INTERVAL, INTERVAL)
    try:
        work()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    if unseen := [part for part, seconds in taken.items() if not seconds]:
        raise RuntimeError(f"never seen at work: {', '.join(unseen)}. Is it still called?")
    whole = time.process_time() - start
    if forked := _of_children() - children:
        taken[CHILDREN] = forked
    return taken | {"all": whole + forked}


def _of_children() -> float:
    """CPU seconds of child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
