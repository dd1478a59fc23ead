"""One process a folder, or a share of its work: two at the same would mix their results."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hodograph.atomic import storage_error
from hodograph.errors import StorageError

LOCK_FILE = ".lock"


@contextmanager
def only_process(folder: Path, share: str | None = None) -> Iterator[None]:
    """Hold a folder, which is made, for this process alone, or one share of the work in it.

    Processes that hold different shares work side by side; whoever holds the folder whole works
    alone. The locks are the kernel's: they go with the process, however that ends. The files stay;
    those of shares are removed by the next who holds the folder whole.

    Raises:
        StorageError: another process works in the folder, or it cannot be written or locked.
    """
    with _locked(folder, LOCK_FILE, fcntl.LOCK_EX if share is None else fcntl.LOCK_SH):
        if share is None:
            for left in folder.glob(f"{LOCK_FILE}-*"):
                left.unlink(missing_ok=True)
            yield
        else:
            with _locked(folder, f"{LOCK_FILE}-{share}", fcntl.LOCK_EX):
                yield


@contextmanager
def _locked(folder: Path, name: str, kind: int) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / name, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise storage_error(folder, error) from error
    try:
        _lock(descriptor, folder, kind)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path, kind: int) -> None:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise StorageError(
            f"{folder}: another process of hodograph works in this folder.\n"
            "  Wait until it has ended, or name another folder."
        ) from error
    except OSError as error:
        raise StorageError(
            f"{folder}: its file system keeps no locks ({error.strerror}).\n"
            "  Name a folder on a local disk and copy it afterwards, or an object store (s3://...)."
        ) from error
