"""A checkpoint's digest, computed while its matrices are measured."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from copy import deepcopy
from threading import Event

from hodograph.checkpoints.checkpoint import Checkpoint


@contextmanager
def digested_aside(checkpoint: Checkpoint) -> Iterator[Callable[[], str]]:
    """Digest a checkpoint on a thread of its own, and give what waits for the digest.

    It reads files as fast as they come and computes little. When the block ends before the digest
    is there, the thread ends with the tensor that it reads.
    """
    own, left = deepcopy(checkpoint), Event()  # a copy maps files for itself
    with ThreadPoolExecutor(1, "digest") as pool:
        found = pool.submit(own.digest, left.is_set)
        try:
            yield found.result
        finally:
            left.set()
