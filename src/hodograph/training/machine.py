"""What the machine must offer: one process, and room on the disk."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError

from hodograph.errors import SettingsError, StorageError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def one_process() -> None:
    """Refuse several processes or GPUs, which this release does not train on.

    Raises:
        SettingsError: launched with more than one process, or several GPUs are visible.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise SettingsError(
            "training runs in one process: start it without torchrun or accelerate."
        )
    if torch.cuda.device_count() > 1:
        raise SettingsError("training uses one GPU: choose it with CUDA_VISIBLE_DEVICES=0.")


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
