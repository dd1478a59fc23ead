"""The matrices inside one stored tensor: fused projections are split, Conv1D is turned."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from hodograph.errors import CheckpointError
from hodograph.matrices.naming import Role


@dataclass(frozen=True)
class Block:
    """One matrix of a stored tensor: rows start:stop of it, after turning Conv1D round.

    `spectral` is False for vectors, routers and convolutions: size and visibility only.
    """

    module: str
    start: int
    stop: int
    cols: int
    transposed: bool
    spectral: bool

    @property
    def rows(self) -> int:
        """Output dimension of the matrix."""
        return self.stop - self.start

    def of(self, stored: Tensor) -> Tensor:
        """This matrix of the stored tensor, shape (rows, cols)."""
        flat = stored.reshape(stored.shape[0], -1) if stored.dim() > 1 else stored.reshape(1, -1)
        turned = flat.T if self.transposed else flat
        return turned[self.start : self.stop].contiguous()


def blocks_of(
    name: str, shape: tuple[int, ...], role: Role, config: dict[str, Any]
) -> tuple[Block, ...]:
    """The matrices in a stored tensor of this shape.

    Raises:
        CheckpointError: a fused tensor whose parts config.json does not tell.
    """
    if len(shape) != 2 or role.module == "router":
        cols = 1
        for size in shape[1:]:
            cols *= size
        rows, cols = (shape[0], cols) if len(shape) > 1 else (1, shape[0] if shape else 1)
        return (Block(role.module, 0, rows, cols, transposed=False, spectral=False),)
    rows, cols = (shape[1], shape[0]) if role.transposed else shape
    blocks, start = [], 0
    for module, size in _parts(name, rows, role, config):
        blocks.append(Block(module, start, start + size, cols, role.transposed, spectral=True))
        start += size
    return tuple(blocks)


def _parts(name: str, rows: int, role: Role, config: dict[str, Any]) -> list[tuple[str, int]]:
    if role.fusion == "none":
        return [(role.module, rows)]
    if role.fusion == "thirds":
        _require_parts(name, rows, 3)
        return [(module, rows // 3) for module in ("q_proj", "k_proj", "v_proj")]
    if role.fusion == "gate_up":
        _require_parts(name, rows, 2)
        return [(module, rows // 2) for module in ("gate_proj", "up_proj")]
    return _qkv_parts(name, rows, config)


def _require_parts(name: str, rows: int, parts: int) -> None:
    if rows % parts:
        raise CheckpointError(
            f"{name}: {rows} fused rows are not {parts} equal parts.\n"
            "  Measure the others with --scope attention, or export the model unfused."
        )


def _qkv_parts(name: str, rows: int, config: dict[str, Any]) -> list[tuple[str, int]]:
    heads = config.get("num_attention_heads")
    kv_heads = config.get("num_key_value_heads") or heads
    known = isinstance(heads, int) and isinstance(kv_heads, int) and min(heads, kv_heads) > 0
    if not known or rows % (heads + 2 * kv_heads):
        raise CheckpointError(
            f"{name}: {rows} fused rows cannot be split into q, k and v.\n"
            "  config.json beside the weights must name num_attention_heads and"
            " num_key_value_heads."
        )
    head = rows // (heads + 2 * kv_heads)
    return [("q_proj", heads * head), ("k_proj", kv_heads * head), ("v_proj", kv_heads * head)]
