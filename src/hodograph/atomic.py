"""Files that are whole or absent: written beside their place, then moved into it."""

import errno
import json
import os
import platform
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from hodograph.errors import StorageError


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file beside `path`, then rename it.

    Raises:
        StorageError: no space left, or no permission to write there.
    """
    temporary = path.with_name(f".{path.name}.{platform.node()}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        sync(temporary)
        temporary.replace(path)
    except OSError as error:
        raise storage_error(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_json(path: Path, content: Any) -> None:
    """Write one JSON document atomically, keys in the order given."""
    write_text(path, json_text(content))


def json_text(content: Any) -> str:
    """A JSON document as every file of ours is written."""
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically, in UTF-8."""
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def sweep(folder: Path) -> None:
    """Remove temporary files that killed processes left in a folder; none may be at work there."""
    for left in folder.glob(".*.part"):
        left.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Wait until a file or folder is on the disk: a rename must not outrun its content."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def storage_error(path: Path, error: OSError) -> StorageError:
    """The one line a user needs when a write fails."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return StorageError(
            f"{path}: no space left on the device, or the file size is limited.\n"
            "  Free some, or name another folder; what was finished is kept."
        )
    return StorageError(f"{path}: cannot be written ({error.strerror or error}).")
