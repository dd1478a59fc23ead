"""Measuring over processes and over Ray against one process, and over many workers by simulation.

    python benchmarks/scaling.py BASE TUNED [TUNED ...] [--rounds 3]

Every way measures the same checkpoints, in turns, and must give the same rows. Wall time counts all
of `hodograph.measure` and the start of the worker processes, but not that of the Ray cluster, which
is there before. The last table takes the CPU time that each unit took in the serial run, and hands
the units in the engine's order to simulated workers; ideal is the whole of it over the number of
workers, or the dearest unit if that takes longer.
"""

import os
import re
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import pandas as pd
from cyclopts import run

from harness import machine, table
from hodograph import Measurement, measure, plan_measurement
from hodograph.cli.progress import bars
from hodograph.engine.local import Local
from hodograph.engine.plan import largest_first, longest
from hodograph.engine.settings import Settings
from hodograph.measurement import open_job, work_of

WORKERS = (2, 4, 8, 16, 32, 64)
MEGABYTE = 1e6


@dataclass
class Memory:
    """Largest anonymous memory of any process that a measurement starts, sampled."""

    largest: float = 0.0

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Sample while the block runs."""
        ended = threading.Event()
        thread = threading.Thread(target=self._sample, args=(ended,), daemon=True)
        thread.start()
        yield
        ended.set()
        thread.join()

    def _sample(self, ended: threading.Event) -> None:
        while not ended.wait(0.1):
            self.largest = max([self.largest, *map(anonymous, children(os.getpid()))])


def children(parent: int) -> list[int]:
    """Processes that a process has started."""
    listed = Path(f"/proc/{parent}/task/{parent}/children")
    return [int(process) for process in listed.read_text().split()]


def anonymous(process: int) -> float:
    """RssAnon in MB; nothing of a process that has ended."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0.0
    found = re.search(r"RssAnon:\s+(\d+) kB", status)
    return int(found[1]) * 1024 / MEGABYTE if found else 0.0


def unit_costs(base: Path, tuned: list[Path]) -> list[float]:
    """CPU seconds of every unit in one process, in the engine's order."""
    job = open_job(base, tuned, Settings(), "cpu")
    ended = [time.process_time()]
    for _ in Local().measured(largest_first(job.parameters), work_of(job)):
        ended.append(time.process_time())
    return [after - before for before, after in pairwise(ended)]


@contextmanager
def cluster(cores: int) -> Iterator[str]:
    """A Ray cluster on this machine; its address."""
    from ray.cluster_utils import Cluster

    head = {"num_cpus": cores, "include_dashboard": False}
    nodes = Cluster(initialize_head=True, head_node_args=head)
    yield nodes.address
    nodes.shutdown()


def seconds(work: Callable[[], Measurement], expected: Measurement) -> float:
    """Wall seconds of one way, whose rows must be those expected."""
    start = time.perf_counter()
    found = work()
    taken = time.perf_counter() - start
    pd.testing.assert_frame_equal(found.matrices, expected.matrices, check_exact=True)
    return taken


def one_round(base: Path, tuned: list[Path], memory: Memory) -> dict[str, float]:
    """Wall seconds of every way, once each."""
    serial = measure(base, tuned)  # files are in the page cache for all
    taken = {"serial": seconds(lambda: measure(base, tuned), serial)}
    with memory.watched():
        taken["2 processes"] = seconds(lambda: measure(base, tuned, workers=2), serial)
    for cores in (1, 2):
        with cluster(cores) as address:
            on_ray = partial(measure, base, tuned, engine="ray", address=address)
            taken[f"Ray, {cores} core{'s' * (cores > 1)}"] = seconds(on_ray, serial)
    return taken


def scaling_rows(taken: dict[str, float]) -> list[list[str]]:
    """Efficiency on so many cores against one process, and overhead against as many."""
    cores = {"serial": 1, "2 processes": 2, "Ray, 1 core": 1, "Ray, 2 cores": 2}
    local = {1: taken["serial"], 2: taken["2 processes"]}
    return [
        [
            name,
            f"{wall:.1f}",
            f"{100 * taken['serial'] / (cores[name] * wall):.0f}",
            f"{100 * (wall / local[cores[name]] - 1):+.0f}" if "Ray" in name else "",
        ]
        for name, wall in taken.items()
    ]


def simulated_rows(costs: list[float]) -> list[list[str]]:
    """Finish time of so many workers over the ideal one."""
    rows = []
    for workers in WORKERS:
        ideal = max(sum(costs) / workers, max(costs))
        finish = longest(costs, workers)
        share = 100 * sum(costs) / (workers * finish)
        rows.append([str(workers), f"{finish:.2f}", f"{finish / ideal:.3f}", f"{share:.0f}"])
    return rows


def main(base: Path, *tuned: Path, rounds: int = 1) -> None:
    """Print the tables as Markdown."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    memory, found = Memory(), []
    with bars() as progress:
        for _ in progress.track(range(rounds), description="rounds"):
            found.append(one_round(base, list(tuned), memory))
    taken = {name: statistics.median(one[name] for one in found) for name in found[0]}
    costs = unit_costs(base, list(tuned))
    ahead = plan_measurement(base, list(tuned))
    print(machine(), "\n")
    print(table(["engine", "wall, s", "efficiency, %", "over as many processes, %"],
                scaling_rows(taken)), "\n")  # fmt: skip
    print(f"RssAnon of the largest worker: {memory.largest:.0f} MB; planned"
          f" {ahead.memory / MEGABYTE:.0f} MB and the libraries\n")  # fmt: skip
    print(f"{len(costs)} units, {sum(costs):.1f} s of CPU time; planned {ahead.seconds:.1f} s;"
          f" the dearest takes {max(costs):.2f} s\n")  # fmt: skip
    print(table(["workers, simulated", "finish, s", "over ideal", "of their time at work, %"],
                simulated_rows(costs)))  # fmt: skip


if __name__ == "__main__":
    run(main)
