"""The bfloat16 grid: rounding, and the spacing of numbers (units of the last place, ULPs)."""

import torch
from jaxtyping import Float
from torch import Tensor

MANTISSA_BITS = {"float64": 52, "float32": 23, "float16": 10, "bfloat16": 7}
EXPONENT_BIAS = 127
PIECE = 1 << 17  # entries looked at together: the first that is off the grid ends the search
MIN_EXPONENT = {"float64": -1022, "float32": -126, "float16": -14, "bfloat16": -126}


def to_bfloat16(weights: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Round to nearest even on the bfloat16 grid, returned in float32."""
    return weights.float().to(torch.bfloat16).float()


def on_bfloat16_grid(weights: Float[Tensor, "..."]) -> bool:
    """Whether every entry is a bfloat16 number already: the lower half of its bits is zero."""
    if weights.dtype == torch.bfloat16:
        return True
    flat = weights.reshape(-1)
    return not any(bool((_bits(piece) & 0xFFFF).any()) for piece in flat.split(PIECE))


def all_entries_finite(weights: Float[Tensor, "..."]) -> bool:
    """Whether no entry is NaN or infinite, by the smallest and the largest."""
    if weights.numel() == 0:
        return True
    return bool(torch.isfinite(torch.stack(weights.aminmax())).all())


def squared_ulps(weights: Float[Tensor, "..."], dtype: str) -> float:
    """Sum over the entries of the squared spacing of the dtype's numbers there.

    The spacing follows from the exponent alone, so the entries are counted by exponent.

    Args:
        weights: finite, in float32.
        dtype: name of the dtype, "bfloat16" for instance; zeros and float32's subnormal numbers
            take the spacing of its smallest normal ones.
    """
    exponent_bits = ((_bits(weights) >> 23) & 0xFF).flatten()
    counts = torch.bincount(exponent_bits, minlength=256).double()
    exponents = torch.arange(256, device=counts.device) - EXPONENT_BIAS
    exponents[0] = MIN_EXPONENT[dtype]
    spacing = 2.0 ** (exponents.clamp(min=MIN_EXPONENT[dtype]) - MANTISSA_BITS[dtype]).double()
    return float(counts @ spacing.square())


def _bits(weights: Float[Tensor, "..."]) -> Tensor:
    return weights.float().contiguous().view(torch.int32)
