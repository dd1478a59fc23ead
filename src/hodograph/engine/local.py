"""Running a measurement on this machine: unit after unit, each kept as one atomic part."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Protocol

from hodograph.checkpoints import Trajectory
from hodograph.engine import worker
from hodograph.engine.matrix import Row
from hodograph.engine.plan import largest_first
from hodograph.engine.settings import Settings
from hodograph.errors import StorageError
from hodograph.matrices.pairing import Parameter
from hodograph.processes import one_thread, worker_pool

Progress = Callable[[int, int, str], None]
Measured = Iterator[tuple[Parameter, list[Row]]]


class Parts(Protocol):
    """Where finished units are kept."""

    def load(self, parameter: str) -> list[Row] | None:
        """Rows of a unit that was finished before, or None."""

    def store(self, parameter: str, rows: list[Row]) -> None:
        """Keep a finished unit."""


def run(
    parameters: Sequence[Parameter],
    trajectory: Trajectory,
    settings: Settings,
    parts: Parts,
    on_progress: Progress,
    workers: int = 1,
) -> list[Row]:
    """Measure every unit that is not kept yet, and return the rows of all, in name order.

    The rows are bitwise the same for any number of workers: each unit is computed on one thread.

    Raises:
        StorageError: a worker process was killed; what was finished is kept.
    """
    total, done = sum(unit.entries for unit in parameters), 0
    rows = {unit.name: kept for unit in parameters if (kept := _kept(unit, parts, settings))}
    missing = largest_first([unit for unit in parameters if unit.name not in rows])
    done = total - sum(unit.entries for unit in missing)
    on_progress(done, total, "")
    few = workers == 1 or len(missing) < 2
    measured = _serial if few else _in_processes
    for unit, found in measured(missing, trajectory, settings, min(workers, len(missing))):
        parts.store(unit.name, found)
        rows[unit.name] = found
        done += unit.entries
        on_progress(done, total, unit.name)
    return [row for name in sorted(rows) for row in rows[name]]


def _kept(unit: Parameter, parts: Parts, settings: Settings) -> list[Row]:
    """Rows of a unit that was finished before and may stand, or none."""
    rows = parts.load(unit.name) or []
    return rows if settings.accepts(sum(row["nonfinite"] or 0 for row in rows)) else []


def _serial(
    units: list[Parameter], trajectory: Trajectory, settings: Settings, workers: int
) -> Measured:
    with one_thread():
        for unit in units:
            yield unit, worker.measure_parameter(unit, trajectory, settings)


def _in_processes(
    units: list[Parameter], trajectory: Trajectory, settings: Settings, workers: int
) -> Measured:
    with worker_pool(workers, worker.prepare, trajectory, settings) as pool:
        futures = {pool.submit(worker.measure_prepared, unit): unit for unit in units}
        for future in as_completed(futures):
            try:
                yield futures[future], future.result()
            except BrokenProcessPool as error:
                raise StorageError(
                    "a worker process was killed, perhaps for memory.\n"
                    "  Run the same command again with fewer --workers; what was finished is kept."
                ) from error
