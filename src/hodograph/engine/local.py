"""Running a measurement on this machine: unit after unit, each kept as one atomic part."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.queues import SimpleQueue
from typing import Protocol

import torch

from hodograph.engine.devices import use_cuda_device
from hodograph.engine.matrix import Row
from hodograph.engine.plan import largest_first
from hodograph.errors import SettingsError, StorageError
from hodograph.matrices.pairing import Parameter
from hodograph.processes import SPAWN, one_thread, worker_pool

Progress = Callable[[int, int, str], None]
Work = Callable[[Parameter], list[Row]]
Accepts = Callable[[int], bool]
Measured = Iterator[tuple[Parameter, list[Row]]]
_prepared: Work | None = None


class Parts(Protocol):
    """Where finished units are kept."""

    def load(self, parameter: str) -> list[Row] | None:
        """Rows of a unit that was finished before, or None."""

    def store(self, parameter: str, rows: list[Row]) -> None:
        """Keep a finished unit."""


def run(
    parameters: Sequence[Parameter],
    work: Work,
    accepts: Accepts,
    parts: Parts,
    on_progress: Progress,
    workers: int = 1,
    device: str = "cpu",
) -> list[Row]:
    """Measure every unit that is not kept yet, and return the rows of all, in name order.

    The rows are bitwise the same for any number of workers: each unit is computed on one thread.

    Args:
        parameters: the units.
        work: measures one unit; worker processes get a pickled copy.
        accepts: whether kept rows with this many NaN or infinite weights may stand.
        parts: where finished units are kept.
        on_progress: called with entries done, entries in all, and the parameter in work.
        workers: processes, one thread each.
        device: as in `Settings`; with "cuda" every process takes a CUDA device of its own.

    Raises:
        SettingsError: a CUDA device has too little memory.
        StorageError: a worker process was killed; what was finished is kept.
    """
    total, done = sum(unit.entries for unit in parameters), 0
    rows = {unit.name: kept for unit in parameters if (kept := _kept(unit, parts, accepts))}
    missing = largest_first([unit for unit in parameters if unit.name not in rows])
    done = total - sum(unit.entries for unit in missing)
    on_progress(done, total, "")
    few = workers == 1 or len(missing) < 2
    measured = _serial if few else _in_processes
    for unit, found in measured(missing, work, min(workers, len(missing)), device):
        parts.store(unit.name, found)
        rows[unit.name] = found
        done += unit.entries
        on_progress(done, total, unit.name)
    return [row for name in sorted(rows) for row in rows[name]]


def _kept(unit: Parameter, parts: Parts, accepts: Accepts) -> list[Row]:
    """Rows of a unit that was finished before and may stand, or none."""
    rows = parts.load(unit.name) or []
    return rows if accepts(sum(row["nonfinite"] or 0 for row in rows)) else []


def _serial(units: list[Parameter], work: Work, workers: int, device: str) -> Measured:
    with one_thread():
        for unit in units:
            yield unit, _measured(work, unit)


def _in_processes(units: list[Parameter], work: Work, workers: int, device: str) -> Measured:
    with worker_pool(workers, _prepare, work, _shares(workers, device)) as pool:
        futures = {pool.submit(_work_prepared, unit): unit for unit in units}
        for future in as_completed(futures):
            try:
                yield futures[future], future.result()
            except BrokenProcessPool as error:
                raise StorageError(
                    "a worker process was killed, perhaps for memory.\n"
                    "  Run the same command again with fewer --workers; what was finished is kept."
                ) from error


def _shares(workers: int, device: str) -> "SimpleQueue[int | None]":
    """For each worker process the number of its CUDA device, or None."""
    shares: SimpleQueue[int | None] = SPAWN.SimpleQueue()
    for index in range(workers):
        shares.put(index if device == "cuda" else None)
    return shares


def _prepare(work: Work, shares: "SimpleQueue[int | None]") -> None:
    """Tell a worker process what it will do, and where."""
    global _prepared
    _prepared = work
    index = shares.get()
    if index is not None:
        use_cuda_device(index)


def _work_prepared(unit: Parameter) -> list[Row]:
    if _prepared is None:
        raise RuntimeError("this worker was not prepared")
    return _measured(_prepared, unit)


def _measured(work: Work, unit: Parameter) -> list[Row]:
    try:
        return work(unit)
    except torch.OutOfMemoryError as error:
        raise SettingsError(
            f"{unit.name}: the CUDA device has too little free memory for it.\n"
            "  --plan says what a unit needs. Go on with --device cpu; it starts anew, since its"
            " numbers differ in their last digits."
        ) from error
