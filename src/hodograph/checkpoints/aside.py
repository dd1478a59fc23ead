"""A checkpoint's digest, computed while its matrices are measured."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from copy import deepcopy
from threading import Event

from hodograph.checkpoints.checkpoint import Checkpoint
from hodograph.checkpoints.safetensors_files import SafetensorsFiles


@contextmanager
def digested_aside(checkpoint: Checkpoint) -> Iterator[Callable[[], str]]:
    """Digest a checkpoint on a thread of its own, and give what waits for the digest.

    When the block ends before the digest is there, the thread ends with the tensor that it reads.
    Files that are not mapped would be in memory beside what the block holds, so they are read only
    when the digest is asked for.
    """
    if not isinstance(checkpoint.source, SafetensorsFiles):
        yield checkpoint.digest
        return
    own, left = deepcopy(checkpoint), Event()  # a copy maps files for itself
    with ThreadPoolExecutor(1, "digest") as pool:
        found = pool.submit(own.digest, left.is_set)
        try:
            yield found.result
        finally:
            left.set()
