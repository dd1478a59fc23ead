"""An opened checkpoint: headers in memory, tensors read one at a time."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import xxhash
from torch import Tensor

from hodograph.checkpoints.product import Product
from hodograph.checkpoints.source import Factored, Source, TensorHeader

STEP_FILE = "hodograph_step.json"


@dataclass(frozen=True)
class Checkpoint:
    """Named tensors from one source, and the model configuration beside them.

    Attributes:
        path: the folder or file the user named.
        source: reads the tensors, whatever format they are in.
        config: the folder's config.json, or an empty mapping.
        training: the folder's hodograph_step.json (step, learning_rate_sum, ...), or empty.
    """

    path: Path
    source: Source
    config: dict[str, Any]
    training: dict[str, Any]

    @property
    def headers(self) -> dict[str, TensorHeader]:
        """Every tensor's header, by stored name, in name order."""
        return self.source.headers

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file a tensor may be read from."""
        return self.source.files

    def read(self, name: str) -> Tensor:
        """Read one tensor as stored.

        Raises:
            CheckpointError: what holds it changed or is damaged.
        """
        return self.source.read(name)

    def product(self, name: str) -> Product | None:
        """The factors of what was added to one tensor of its base; None where they are unknown."""
        return self.source.product(name) if isinstance(self.source, Factored) else None

    @cached_property
    def dtypes(self) -> tuple[str, ...]:
        """The stored dtypes, in alphabetical order."""
        return tuple(sorted({header.dtype for header in self.headers.values()}))

    def digest(self) -> str:
        """XXH3-128 over every tensor's name, dtype, shape and bytes: the identity of these weights.

        Reads the whole checkpoint, one tensor at a time, as fast as it can be read: the digest
        tells W0s apart, it does not guard against forgery. Format, files, sharding and metadata do
        not enter, so a re-sharded or converted copy has the same digest.
        """
        total = xxhash.xxh3_128()
        for name, header in self.headers.items():
            total.update(f"{name}\0{header.dtype}\0{header.shape}\0".encode())
            data = self.read(name).contiguous().reshape(-1)
            if data.numel():
                total.update(data.view(torch.uint8).numpy().data)
        return total.hexdigest()
