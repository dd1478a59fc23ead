"""Where a checkpoint's tensors come from: the one thing every format provides."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from hodograph.checkpoints.product import Product
from hodograph.errors import CheckpointError

DTYPE_NAMES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.float8_e4m3fn: "F8_E4M3",
    torch.float8_e5m2: "F8_E5M2",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
FP8 = {"F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2"}
"""8-bit floats that are read with their scales: stored dtype, and torch's name for it."""


@dataclass(frozen=True)
class TensorHeader:
    """What is known of one tensor without reading its weights.

    Attributes:
        name: as stored.
        dtype: in the words of safetensors: "F32", "BF16", ...
        shape: of the whole tensor, whatever pieces it is stored in.
        file: that holds it, or its first piece.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: Path

    @property
    def entries(self) -> int:
        """Number of entries."""
        return math.prod(self.shape)


class Source(Protocol):
    """Reads the tensors of one format.

    Worker processes get a pickled copy, so a source keeps paths and headers, never open files.
    """

    @property
    def headers(self) -> dict[str, TensorHeader]:
        """Every tensor's header, by stored name, in name order."""

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file a tensor may be read from: their sizes and times tell a change."""

    def read(self, name: str) -> Tensor:
        """Read one tensor as stored.

        Raises:
            CheckpointError: what holds it changed or is damaged.
            OSError: its file cannot be read any more.
        """


@runtime_checkable
class Factored(Source, Protocol):
    """A source that knows some updates as products of thin matrices."""

    def product(self, name: str) -> Product | None:
        """The factors of what was added to one tensor of the base; None where they are unknown."""


@runtime_checkable
class Scaled(Source, Protocol):
    """A source that multiplies FP8 codes by their scales."""

    def spacing(self, name: str) -> Tensor | None:
        """Distance to the next storable number at every entry; None where it is not FP8."""

    def digest(self, abandoned: Callable[[], bool]) -> str:
        """The digest of the stored codes and scales."""


def header_of(name: str, tensor: Tensor, file: Path) -> TensorHeader:
    """The header of a tensor that torch has opened.

    Raises:
        CheckpointError: a dtype that is not read.
    """
    dtype = DTYPE_NAMES.get(tensor.dtype)
    if dtype is None:
        raise CheckpointError(f"{file}: {name} is stored in {tensor.dtype}, which is not read.")
    return TensorHeader(name, dtype, tuple(tensor.shape), file)


def by_name(headers: Iterable[TensorHeader], place: Path) -> dict[str, TensorHeader]:
    """Headers by stored name, in name order.

    Raises:
        CheckpointError: none, or one name in two files.
    """
    found: dict[str, TensorHeader] = {}
    for header in headers:
        if header.name in found:
            raise CheckpointError(
                f"{place}: tensor {header.name} is in {found[header.name].file.name} and in"
                f" {header.file.name}.\n  Remove the stale file, or name the right one."
            )
        found[header.name] = header
    if not found:
        raise CheckpointError(f"{place}: holds no tensors.")
    return dict(sorted(found.items()))
