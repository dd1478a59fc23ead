"""What the machine must offer: room on the disk."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from hodograph.errors import StorageError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def storage_errors(folder: Path) -> Iterator[None]:
    """Turn a full disk or an unwritable folder into one clear line, whichever library met it.

    Raises:
        StorageError: there is no room, or `folder` does not take what is written into it.
    """
    try:
        yield
    except (OSError, SafetensorError, RuntimeError) as error:
        if _is_full(error):
            raise StorageError(
                f"{folder}: the disk is full or the file size limited ({error}).\n"
                "  Free some space and repeat the command: it continues from the last checkpoint."
            ) from error
        if isinstance(error, OSError) and _is_below(error.filename, folder):
            raise StorageError(f"{folder} cannot be written: {error}.") from error
        raise


def _is_full(error: Exception) -> bool:
    if isinstance(error, OSError):
        return error.errno in FULL
    text = str(error)  # Rust and C++ writers report the system's words only
    return any(os.strerror(code) in text for code in FULL) or "PytorchStreamWriter failed" in text


def _is_below(path: object, folder: Path) -> bool:
    return isinstance(path, str | Path) and Path(path).is_relative_to(folder)
