"""A worker process of a study, in a pool of its own: one that is killed loses its task alone."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from queue import Empty

from hodograph.processes import SPAWN, worker_pool
from hodograph.studies import worker

Start = Callable[[ProcessPoolExecutor], "Future[None]"]


class Slot:
    """Room for one task at a time; where the process in it was killed, the next gets a new one.

    Each process has its own queue too: one that is killed while it writes would leave a shared
    queue locked for all.
    """

    def __init__(self, opened: ExitStack) -> None:
        """Keep the processes in `opened`, which ends them."""
        self._opened = opened
        self._open()

    def submit(self, start: Start) -> "Future[None]":
        """Start a task."""
        try:
            return start(self._pool)
        except BrokenProcessPool:
            self._open()
            return start(self._pool)

    def messages(self) -> Iterator[worker.Message]:
        """What its tasks reported since the last look."""
        while True:
            try:
                yield self._messages.get_nowait()
            except Empty:
                return

    def _open(self) -> None:
        self._messages = SPAWN.Queue()
        self._pool = self._opened.enter_context(worker_pool(1, worker.start, self._messages))


def was_killed(future: "Future[None]") -> bool:
    """Whether an ended task's process was killed."""
    return isinstance(future.exception(), BrokenProcessPool)
