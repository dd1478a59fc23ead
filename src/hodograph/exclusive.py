"""One process a folder: two that write into one would mix their results."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hodograph.atomic import storage_error
from hodograph.errors import StorageError

LOCK_FILE = ".lock"


@contextmanager
def only_process(folder: Path) -> Iterator[None]:
    """Hold a folder, which is made, for this process alone.

    The lock is the kernel's: it goes with the process, however that ends. The file stays.

    Raises:
        StorageError: another process works in the folder, or it cannot be written or locked.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise storage_error(folder, error) from error
    try:
        _lock(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise StorageError(
            f"{folder}: another process of hodograph works in this folder.\n"
            "  Wait until it has ended, or name another folder."
        ) from error
    except OSError as error:
        raise StorageError(
            f"{folder}: its file system keeps no locks ({error.strerror}).\n"
            "  Name a folder on a local disk, and copy it afterwards."
        ) from error
