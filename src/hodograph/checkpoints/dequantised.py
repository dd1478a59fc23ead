"""FP8 weights and the scales beside them, read as the numbers they stand for.

M rows, N columns, P x Q scales.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from hodograph.checkpoints.checkpoint import Checkpoint
from hodograph.checkpoints.source import FP8, TensorHeader
from hodograph.errors import CheckpointError

Side = tuple[int, int]
DEFAULT_BLOCK: Side = (128, 128)
SCALE_DTYPES = {"F32", "BF16", "F16"}
OF_ACTIVATIONS = ("input_scale", "input_scale_ub", "activation_scale", "k_scale", "v_scale")
DAMAGED = "  Copy or download the whole checkpoint again, or measure the one it was made from."
MANTISSA_BITS = {"F8_E4M3": 3, "F8_E5M2": 2}
MIN_EXPONENT = {"F8_E4M3": -6, "F8_E5M2": -14}


@dataclass(frozen=True)
class Scale:
    """The scale of one FP8 tensor.

    Attributes:
        name: as stored.
        block: rows and columns of the tensor that one entry is for; None where one is for all.
    """

    name: str
    block: Side | None


@dataclass(frozen=True)
class Dequantised:
    """A checkpoint's tensors, FP8 ones multiplied by their scales.

    Attributes:
        headers: without the scales; FP8 tensors keep their stored dtype there.
        stored: the checkpoint as stored.
        scales: by the name of the FP8 tensor.
    """

    headers: dict[str, TensorHeader]
    stored: Checkpoint
    scales: dict[str, Scale]

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file a tensor may be read from."""
        return self.stored.files

    def read(self, name: str) -> Tensor:
        """Read one tensor: W = q * scale in float32 where it is FP8, else as stored."""
        tensor = self.stored.read(name)
        return tensor.float() * self._scale(name) if name in self.scales else tensor

    def spacing(self, name: str) -> Float[Tensor, "..."] | None:
        """Distance to the next number that FP8 and this scale could store, for every entry.

        2^(max(e, e_min) - p) * |scale|, where e is the exponent of the code, p its mantissa bits.
        None for tensors that are not FP8.
        """
        if name not in self.scales:
            return None
        dtype = self.headers[name].dtype
        least = 2.0 ** MIN_EXPONENT[dtype]
        codes = self.stored.read(name).float().abs().clamp(min=least)
        power = torch.frexp(codes).exponent - 1 - MANTISSA_BITS[dtype]  # frexp: half to one
        return torch.ldexp(torch.ones_like(codes), power) * self._scale(name).abs()

    def digest(self, abandoned: Callable[[], bool]) -> str:
        """The digest of the stored codes and scales."""
        return self.stored.digest(abandoned)

    def _scale(self, name: str) -> Tensor:
        """The scale of one tensor, spread over its entries where there is more than one."""
        scale = self.scales[name]
        stored = self.stored.read(scale.name).float()
        if scale.block is None:
            return stored.reshape(())
        (rows, cols), (height, width) = self.headers[name].shape, scale.block
        tall = stored.repeat_interleave(height, 0)[:rows]
        return tall.repeat_interleave(width, 1)[:, :cols]


def declares_fp8(config: Mapping[str, Any]) -> bool:
    """Whether config.json's quantization_config is one whose FP8 scales are read."""
    declared = _declared(config)
    if declared.get("quant_method") == "compressed-tensors":
        groups = _weight_groups(declared)
        return bool(groups) and all(
            (one.get("type"), one.get("num_bits")) == ("float", 8) for one in groups
        )
    return declared.get("quant_method") in ("fp8", "fbgemm_fp8")


def dequantised(checkpoint: Checkpoint) -> Checkpoint:
    """Show a checkpoint's FP8 tensors as the numbers they stand for.

    Args:
        checkpoint: as stored, with a configuration that `declares_fp8`.

    Raises:
        CheckpointError: a scale that is missing or of another shape or dtype, or blocks that
            config.json does not tell.
    """
    declared = _declared(checkpoint.config)
    blocks = _blocks(checkpoint.path, declared)
    scales = {
        header.name: _scale_of(checkpoint, header, blocks)
        for header in checkpoint.headers.values()
        if header.dtype in FP8
    }
    beside = {scale.name for scale in scales.values()}
    headers = {
        name: header
        for name, header in checkpoint.headers.items()
        if name not in beside and name.rsplit(".", 1)[-1] not in OF_ACTIVATIONS
    }
    return replace(checkpoint, source=Dequantised(headers, checkpoint, scales))


def _declared(config: Mapping[str, Any]) -> dict[str, Any]:
    declared = config.get("quantization_config")
    return declared if isinstance(declared, dict) else {}


def _weight_groups(declared: Mapping[str, Any]) -> list[dict[str, Any]]:
    """How compressed-tensors stores each group of weights; empty where that is not told."""
    groups = declared.get("config_groups")
    found = list(groups.values()) if isinstance(groups, dict) else []
    weights = [one.get("weights") if isinstance(one, dict) else None for one in found]
    return [one if isinstance(one, dict) else {} for one in weights]


def _blocks(path: Path, declared: Mapping[str, Any]) -> dict[str, Side | None]:
    """The endings a scale's name may have, and the block each entry is for, None for no blocks."""
    if declared["quant_method"] == "fp8":
        block = declared.get("weight_block_size", list(DEFAULT_BLOCK))
        return {"_scale_inv": _block(path, block), "_scale": None}
    told = [one.get("block_structure") for one in _weight_groups(declared)]
    blocks = {_block(path, block) for block in told}
    if len(blocks) > 1:
        raise CheckpointError(
            f"{path}: config.json names several block_structures, and one is read.\n{DAMAGED}"
        )
    return {"_scale": blocks.pop() if blocks else None}


def _block(path: Path, block: object) -> Side | None:
    if block is None:
        return None
    if (
        not isinstance(block, list)
        or len(block) != 2
        or any(type(side) is not int or side < 1 for side in block)
    ):
        raise CheckpointError(
            f"{path}: the block {block!r} of quantization_config in config.json is not two"
            f" positive whole numbers.\n{DAMAGED}"
        )
    return block[0], block[1]


def _scale_of(
    checkpoint: Checkpoint, weight: TensorHeader, blocks: Mapping[str, Side | None]
) -> Scale:
    names = {f"{weight.name}{ending}": block for ending, block in blocks.items()}
    stored = [name for name in names if name in checkpoint.headers]
    if not stored:
        raise CheckpointError(
            f"{checkpoint.path}: {weight.name} is FP8 without its scale ({' or '.join(names)}).\n"
            f"{DAMAGED}"
        )
    scale = checkpoint.headers[stored[0]]
    fits, covered = _fitting(weight.shape, scale.shape, names[scale.name])
    if not fits or scale.dtype not in SCALE_DTYPES:
        raise CheckpointError(
            f"{checkpoint.path}: {scale.name} ({scale.dtype}, {scale.shape}) does not fit"
            f" {weight.name} {weight.shape}{_expected(names[scale.name])}.\n{DAMAGED}"
        )
    return Scale(scale.name, covered)


def _fitting(
    weight: tuple[int, ...], scale: tuple[int, ...], block: Side | None
) -> tuple[bool, Side | None]:
    """Whether a scale's shape fits a weight's, and the block that each entry of it is for."""
    if block is None:
        if math.prod(scale) == 1:
            return True, None
        block = (1, max(1, weight[-1])) if weight else (1, 1)
    grid = tuple(math.ceil(size / side) for size, side in zip(weight, block, strict=False))
    return len(weight) == 2 and scale == grid, block


def _expected(block: Side | None) -> str:
    if block is None:
        return ": one float of 16 or 32 bits, or one a row, was expected"
    return f": one float of 16 or 32 bits a block of {block[0]} x {block[1]} was expected"
