"""An opened checkpoint: headers in memory, tensors read one at a time."""

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import xxhash
from safetensors import SafetensorError, safe_open
from torch import Tensor

from hodograph.errors import CheckpointError

STEP_FILE = "hodograph_step.json"


Stamp = tuple[int, int, int]


def stamp_of(file: Path) -> Stamp:
    """Size, time of the last change and inode: what tells a file from another in its place."""
    stat = file.stat()
    return stat.st_size, stat.st_mtime_ns, stat.st_ino


@dataclass(frozen=True)
class TensorHeader:
    """What a safetensors header says of one tensor."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: Path

    @property
    def entries(self) -> int:
        """Number of entries."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Checkpoint:
    """Named tensors in safetensors files, and the model configuration beside them.

    Attributes:
        path: the folder or file the user named.
        headers: every tensor's header, by stored name, in name order.
        config: the folder's config.json, or an empty mapping.
        training: the folder's hodograph_step.json (step, learning_rate_sum, ...), or empty.
        stamps: size, time and inode of each file when it was opened.
    """

    path: Path
    headers: dict[str, TensorHeader]
    config: dict[str, Any]
    training: dict[str, Any]
    stamps: dict[Path, Stamp]

    def read(self, name: str) -> Tensor:
        """Read one tensor as stored, memory-mapped.

        Raises:
            CheckpointError: the file is another than was opened, or cannot be read.
        """
        header = self.headers[name]
        try:
            with safe_open(header.file, framework="pt") as file:
                tensor = file.get_tensor(name)
            if stamp_of(header.file) != self.stamps[header.file]:
                raise OSError("it is not the file that was opened")
        except (SafetensorError, OSError) as error:
            raise CheckpointError(
                f"{header.file}: tensor {name} cannot be read ({error}).\n"
                "  The file changed or was damaged after it was opened; copy it again."
            ) from error
        return tensor

    @cached_property
    def dtypes(self) -> tuple[str, ...]:
        """The stored dtypes, in alphabetical order."""
        return tuple(sorted({header.dtype for header in self.headers.values()}))

    def digest(self) -> str:
        """XXH3-128 over every tensor's name, dtype, shape and bytes: the identity of these weights.

        Reads the whole checkpoint, one tensor at a time, as fast as it can be read: the digest
        tells W0s apart, it does not guard against forgery. Files, sharding and metadata do not
        enter, so a re-sharded copy has the same digest.
        """
        total = xxhash.xxh3_128()
        for name, header in self.headers.items():
            total.update(f"{name}\0{header.dtype}\0{header.shape}\0".encode())
            data = self.read(name).contiguous().reshape(-1)
            if data.numel():
                total.update(data.view(torch.uint8).numpy().data)
        return total.hexdigest()
