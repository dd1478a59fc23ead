"""Worker processes with one thread each, that end when the process that started them does."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from typing import Any

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
SPAWN = get_context("spawn")


@contextmanager
def worker_pool(
    workers: int, prepare: Callable[..., None], *arguments: Any
) -> Iterator[ProcessPoolExecutor]:
    """Processes that share nothing but what `prepare(*arguments)` is given in each.

    One thread a process: more are slower on small matrices, and their sums depend on the machine.
    When the block ends in an error, what has not started is dropped; when it is interrupted, the
    processes end at once.
    """
    stopped, stop = SPAWN.Pipe(duplex=False)
    with _one_thread_inherited(), stopped, stop:
        pool = ProcessPoolExecutor(
            workers, SPAWN, initializer=_prepared, initargs=(stopped, prepare, arguments)
        )
        try:
            yield pool
        except KeyboardInterrupt:
            stop.send(None)  # what they work on is written whole or not at all
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def one_thread() -> Iterator[None]:
    """Run this process's linear algebra on one thread, as a worker does."""
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(limits=1):
            yield
    finally:
        torch.set_num_threads(before)


def _prepared(
    stopped: Connection, prepare: Callable[..., None], arguments: tuple[Any, ...]
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says when to stop
    threading.Thread(target=_end_with_parent, args=(stopped,), daemon=True).start()
    prepare(*arguments)


def _end_with_parent(stopped: Connection) -> None:
    """End when the parent has ended, or has been interrupted.

    Leave no worker behind that would write into a folder which a restarted command works in.
    """
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel, stopped])
        os._exit(1)


@contextmanager
def _one_thread_inherited() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
