"""The matrices inside one stored tensor: fused projections are split, Conv1D is turned."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from hodograph.checkpoints.product import Product
from hodograph.errors import CheckpointError
from hodograph.matrices.naming import Role


@dataclass(frozen=True)
class Block:
    """One matrix of a stored tensor: rows start:stop of it, after turning Conv1D round.

    Where `groups` is above 1 the tensor is that many groups of rows, and the matrix is rows
    start:stop of each: GPT-NeoX interleaves q, k and v by head.
    `spectral` is False for vectors, routers and convolutions: size and visibility only.
    """

    module: str
    start: int
    stop: int
    cols: int
    transposed: bool
    spectral: bool
    groups: int = 1

    @property
    def rows(self) -> int:
        """Output dimension of the matrix."""
        return (self.stop - self.start) * self.groups

    def of(self, stored: Tensor) -> Tensor:
        """This matrix of the stored tensor, shape (rows, cols)."""
        flat = stored.reshape(stored.shape[0], -1) if stored.dim() > 1 else stored.reshape(1, -1)
        turned = flat.T if self.transposed else flat
        return self._rows_of(turned).contiguous()

    def of_product(self, product: Product) -> Product:
        """The part of a stored tensor's change that is this matrix's."""
        turned = product.turned() if self.transposed else product
        return Product(self._rows_of(turned.left_MR), turned.right_RN)

    def _rows_of(self, turned: Tensor) -> Tensor:
        if self.groups == 1:
            return turned[self.start : self.stop]
        grouped = turned.unflatten(0, (self.groups, -1))
        return grouped[:, self.start : self.stop].flatten(0, 1)


def blocks_of(
    name: str, shape: tuple[int, ...], role: Role, config: dict[str, Any]
) -> tuple[Block, ...]:
    """The matrices in a stored tensor of this shape.

    Raises:
        CheckpointError: a fused tensor whose parts config.json does not tell.
    """
    if len(shape) != 2 or role.module == "router" or role.module.endswith("bias"):
        cols = 1
        for size in shape[1:]:
            cols *= size
        rows, cols = (shape[0], cols) if len(shape) > 1 else (1, shape[0] if shape else 1)
        return (Block(role.module, 0, rows, cols, transposed=False, spectral=False),)
    rows, cols = (shape[1], shape[0]) if role.transposed else shape
    groups = _groups(name, rows, role, config)
    blocks, start = [], 0
    for module, size in _parts(name, rows // groups, role, config):
        stop = start + size
        blocks.append(
            Block(module, start, stop, cols, role.transposed, spectral=True, groups=groups)
        )
        start = stop
    return tuple(blocks)


def _groups(name: str, rows: int, role: Role, config: dict[str, Any]) -> int:
    """Groups of rows that a fused tensor repeats its parts in: heads for GPT-NeoX, else one."""
    if role.fusion != "heads":
        return 1
    heads = _language(config).get("num_attention_heads")
    if not isinstance(heads, int) or heads < 1 or rows % (3 * heads):
        raise CheckpointError(
            f"{name}: {rows} fused rows cannot be split into q, k and v by head.\n"
            "  config.json beside the weights must name num_attention_heads."
        )
    return heads


def _parts(name: str, rows: int, role: Role, config: dict[str, Any]) -> list[tuple[str, int]]:
    if role.fusion == "none":
        return [(role.module, rows)]
    if role.fusion in ("thirds", "heads"):
        _require_parts(name, rows, 3)
        return [(module, rows // 3) for module in ("q_proj", "k_proj", "v_proj")]
    if role.fusion == "gate_up":
        _require_parts(name, rows, 2)
        return [(module, rows // 2) for module in ("gate_proj", "up_proj")]
    return _qkv_parts(name, rows, config)


def _language(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration of a multimodal model's language model; else the whole."""
    inner = config.get("text_config")
    return inner if isinstance(inner, dict) else config


def _require_parts(name: str, rows: int, parts: int) -> None:
    if rows % parts:
        raise CheckpointError(
            f"{name}: {rows} fused rows are not {parts} equal parts.\n"
            "  Measure the others with --scope attention, or export the model unfused."
        )


def _qkv_parts(name: str, rows: int, config: dict[str, Any]) -> list[tuple[str, int]]:
    config = _language(config)
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
