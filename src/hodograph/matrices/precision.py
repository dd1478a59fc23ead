"""The bfloat16 grid: rounding, and the spacing of numbers (units of the last place, ULPs)."""

import torch
from jaxtyping import Float
from torch import Tensor

MANTISSA_BITS = {"float64": 52, "float32": 23, "float16": 10, "bfloat16": 7}
MIN_EXPONENT = {"float64": -1022, "float32": -126, "float16": -14, "bfloat16": -126}


def to_bfloat16(weights: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Round to nearest even on the bfloat16 grid, returned in float32."""
    return weights.float().to(torch.bfloat16).float()


def on_bfloat16_grid(weights: Float[Tensor, "..."]) -> bool:
    """Whether every entry is a bfloat16 number already."""
    return bool((to_bfloat16(weights) == weights.float()).all())


def ulp(weights: Float[Tensor, "..."], dtype: str) -> Float[Tensor, "..."]:
    """Spacing of the dtype's numbers at each entry, in float64."""
    lowest = MIN_EXPONENT[dtype]
    exponent = torch.frexp(weights.double()).exponent - 1
    exponent = torch.where(weights == 0, lowest, exponent.clamp(min=lowest))
    return torch.ldexp(
        torch.ones_like(exponent, dtype=torch.float64), exponent - MANTISSA_BITS[dtype]
    )
