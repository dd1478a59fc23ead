"""The bfloat16 grid: rounding, bit patterns, distances in units of the last place (ULPs).

N entries, flat or in any shape.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

MANTISSA_BITS = {"float64": 52, "float32": 23, "float16": 10, "bfloat16": 7}
MIN_EXPONENT = {"float64": -1022, "float32": -126, "float16": -14, "bfloat16": -126}


def to_bfloat16(weights: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Round to nearest even on the bfloat16 grid, returned in float32."""
    return weights.float().to(torch.bfloat16).float()


def on_bfloat16_grid(weights: Float[Tensor, "..."]) -> bool:
    """Whether every entry is a bfloat16 number already."""
    return bool((to_bfloat16(weights) == weights.float()).all())


def ordered_bits(weights: Float[Tensor, "..."]) -> Int[Tensor, "..."]:
    """Bfloat16 bit patterns as integers in the order of the numbers; -0 and +0 are both 0.

    Neighbouring bfloat16 numbers differ by exactly 1, so a difference is a distance in ULPs.
    """
    bits = weights.float().to(torch.bfloat16).view(torch.int16).to(torch.int32)
    magnitude = bits & 0x7FFF
    return torch.where(bits < 0, -magnitude, magnitude)


def visibly_changed(base: Float[Tensor, "..."], tuned: Float[Tensor, "..."]) -> Bool[Tensor, "..."]:
    """Entries whose bfloat16 bit pattern differs, -0 read as +0.

    The test |a - b| <= eta max(|a|, |b|) gives the same answer on every finite pair for any
    eta below 2^-8, since neighbouring bfloat16 numbers differ by at least that, relatively.
    """
    return ordered_bits(base) != ordered_bits(tuned)


def exponents(weights: Float[Tensor, "..."]) -> Int[Tensor, "..."]:
    """Biased bfloat16 exponent (0 to 255) of every entry."""
    return ordered_bits(weights).abs() >> 7


def ulp(weights: Float[Tensor, "..."], dtype: str) -> Float[Tensor, "..."]:
    """Spacing of the dtype's numbers at each entry, in float64."""
    lowest = MIN_EXPONENT[dtype]
    exponent = torch.frexp(weights.double()).exponent - 1
    exponent = torch.where(weights == 0, lowest, exponent.clamp(min=lowest))
    return torch.ldexp(
        torch.ones_like(exponent, dtype=torch.float64), exponent - MANTISSA_BITS[dtype]
    )
