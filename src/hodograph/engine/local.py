"""The engine of one machine: this process, or worker processes of one thread each."""

from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.queues import SimpleQueue

from hodograph.engine import devices
from hodograph.engine.matrix import Row
from hodograph.engine.run import Measured, Work, measured_here
from hodograph.errors import SettingsError, StorageError
from hodograph.matrices.pairing import Parameter
from hodograph.processes import SPAWN, one_thread, worker_pool

_prepared: Work | None = None


@dataclass(frozen=True)
class Local:
    """See `Engine`.

    Attributes:
        workers: processes, one thread each.
        device: as in `Settings`; with "cuda" every process takes a CUDA device of its own.
    """

    workers: int = 1
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise SettingsError(f"workers is {self.workers}; it must be at least 1.")
        devices.check_device(self.device, self.workers)

    def kind_of(self, device: str) -> str:
        """The model of the CUDA device here, or "cpu"."""
        return devices.kind_of(device)

    def measured(self, units: list[Parameter], work: Work) -> Measured:
        """Units one after another, or in as many processes as there are units for."""
        if self.workers == 1 or len(units) < 2:
            return _serial(units, work)
        return _in_processes(units, work, min(self.workers, len(units)), self.device)


def _serial(units: list[Parameter], work: Work) -> Measured:
    with one_thread():
        for unit in units:
            yield unit, measured_here(work, unit)


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
        devices.use_cuda_device(index)


def _work_prepared(unit: Parameter) -> list[Row]:
    if _prepared is None:
        raise RuntimeError("this worker was not prepared")
    return measured_here(_prepared, unit)
