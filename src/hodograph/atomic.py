"""Files that are whole or absent: written beside their place, then moved into it."""

import errno
import json
import os
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
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        _sync(temporary)
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise storage_error(path, error) from error


def write_json(path: Path, content: Any) -> None:
    """Write one JSON document atomically, keys in the order given."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_text(path, text)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically, in UTF-8."""
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def _sync(path: Path) -> None:
    """Wait until the file is on the disk: a rename must not outrun its content."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def storage_error(path: Path, error: OSError) -> StorageError:
    """The one line a user needs when a write fails."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageError(
            f"{path}: no space left on the device.\n"
            "  Free some, or name another folder; what was finished is kept."
        )
    return StorageError(f"{path}: cannot be written ({error.strerror or error}).")
