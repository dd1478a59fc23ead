"""An opened checkpoint: headers in memory, tensors read one at a time."""

from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import xxhash
from torch import Tensor

from hodograph.checkpoints.names import HubName
from hodograph.checkpoints.product import Product
from hodograph.checkpoints.source import Factored, Scaled, Source, TensorHeader
from hodograph.errors import CheckpointError

STEP_FILE = "hodograph_step.json"
Stamp = tuple[int, int, int]


def stamp_of(file: Path) -> Stamp:
    """Size, time of the last change and inode: what tells a file from another in its place."""
    stat = file.stat()
    return stat.st_size, stat.st_mtime_ns, stat.st_ino


@dataclass(frozen=True)
class Checkpoint:
    """Named tensors from one source, and the model configuration beside them.

    Attributes:
        path: the folder or file the user named.
        source: reads the tensors, whatever format they are in.
        config: the folder's config.json, or an empty mapping.
        training: the folder's hodograph_step.json (step, learning_rate_sum, ...), or empty.
        stamps: size, time and inode of each file when it was opened; none of what is still to be
            downloaded.
        hub: the model and commit on the hub, where it comes from there.
    """

    path: Path
    source: Source
    config: dict[str, Any]
    training: dict[str, Any]
    stamps: dict[Path, Stamp]
    hub: HubName | None = None

    @property
    def headers(self) -> dict[str, TensorHeader]:
        """Every tensor's header, by stored name, in name order."""
        return self.source.headers

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file a tensor may be read from."""
        return self.source.files

    def read(self, name: str) -> Tensor:
        """Read one tensor as stored; FP8 that is dequantised in float32.

        Raises:
            CheckpointError: its file is another than was opened, or cannot be read.
        """
        file = self.headers[name].file
        try:
            tensor = self.source.read(name)
            if stamp_of(file) != self.stamps.get(file, stamp_of(file)):
                raise OSError("it is not the file that was opened")
        except OSError as error:
            raise CheckpointError(
                f"{file}: tensor {name} cannot be read ({error}).\n"
                "  The file changed or was damaged after it was opened; copy it again."
            ) from error
        return tensor

    def product(self, name: str) -> Product | None:
        """The factors of what was added to one tensor of its base; None where they are unknown."""
        return self._factored.product(name) if self._factored is not None else None

    def spacing(self, name: str) -> Tensor | None:
        """Distance to the next number FP8 could store at every entry; None where it is not FP8."""
        return self.source.spacing(name) if isinstance(self.source, Scaled) else None

    @cached_property
    def _factored(self) -> Factored | None:
        """The source, where it knows factors: asked once, since a protocol is slow to recognise."""
        return self.source if isinstance(self.source, Factored) else None

    @cached_property
    def dtypes(self) -> tuple[str, ...]:
        """The stored dtypes, in alphabetical order."""
        return tuple(sorted({header.dtype for header in self.headers.values()}))

    def digest(self, abandoned: Callable[[], bool] = lambda: False) -> str:
        """XXH3-128 over every tensor's name, dtype, shape and bytes: the identity of these weights.

        Reads the whole checkpoint, one tensor at a time, as fast as it can be read: the digest
        tells W0s apart, it does not guard against forgery. Format, files, sharding and metadata do
        not enter, so a re-sharded or converted copy has the same digest. Of dequantised FP8 the
        stored codes and scales are read.

        Args:
            abandoned: asked before every tensor; where it says so, the digest is cut short.

        Raises:
            CheckpointError: as `read`.
            CancelledError: it was abandoned.
        """
        if isinstance(self.source, Scaled):
            return self.source.digest(abandoned)
        total = xxhash.xxh3_128()
        for name, header in self.headers.items():
            if abandoned():
                raise CancelledError
            total.update(f"{name}\0{header.dtype}\0{header.shape}\0".encode())
            data = self.read(name).contiguous().reshape(-1)
            if data.numel():
                total.update(data.view(torch.uint8).numpy().data)
        return total.hexdigest()
