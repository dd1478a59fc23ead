"""G7: the spectrum of the update, and which of it storage can resolve.

R singular values, M rows, N columns.
"""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from hodograph.matrices.update import Update
from hodograph.tables.columns import TOP_ENERGIES

SIXTEEN_BITS = {"bfloat16", "float16"}
ROUNDING = 1e-12  # of a singular value, and more than any way of computing it leaves
NOISE_SHARE = 0.2  # of ‖D‖²_F; from here a stable rank is up to this much off


def stable_rank(sigma_R: Float[Tensor, " R"]) -> float:
    """Stable rank ‖A‖²_F / ‖A‖²_2 (Rudelson & Vershynin, 2007); 0 for the zero matrix."""
    return float((sigma_R / sigma_R[0]).square().sum()) if sigma_R[0] > 0 else 0.0


def hill(sigma_R: Float[Tensor, " R"], k: int, rank: int) -> float | None:
    """Hill estimate of the tail exponent from the k largest values (Hill, 1975).

    [1 / (k - 1) sum_{i < k} log(s_i / s_k)]⁻¹; None beyond the numerical rank, for k below 2,
    and where the k values are equal but for rounding. It moves with k, so k is part of its name.
    """
    if k < 2 or k > rank:
        return None
    excess = float(torch.log(sigma_R[: k - 1] / sigma_R[k - 1]).mean())
    return 1 / excess if excess > ROUNDING else None


def effective_rank(sigma_R: Float[Tensor, " R"]) -> float:
    """Effective rank exp(entropy of s² / sum s²) of a matrix that is not zero.

    Args:
        sigma_R: singular values, descending.
    """
    share_R = _energy_shares(sigma_R)
    positive_R = share_R[share_R > 0]
    return float(torch.exp(-(positive_R * positive_R.log()).sum()))


def _energy_shares(sigma_R: Float[Tensor, " R"]) -> Float[Tensor, " R"]:
    share_R = (sigma_R / sigma_R[0]).square()
    return share_R / share_R.sum()


def update_spectrum(sigma_R: Float[Tensor, " R"], rank: int) -> dict[str, Any]:
    """Ranks, top energies and Hill estimates of an update that is not zero."""
    share_R = _energy_shares(sigma_R)
    columns: dict[str, Any] = {
        "sigma_1": float(sigma_R[0]),
        "stable_rank": stable_rank(sigma_R),
        "participation_ratio": float(1 / share_R.square().sum()),
        "effective_rank": effective_rank(sigma_R),
    }
    columns |= {f"top{k}_energy": float(share_R[:k].sum()) for k in TOP_ENERGIES}
    for name, k in (("11", 11), ("32", 32), ("5pct", math.ceil(len(sigma_R) / 20))):
        estimate = hill(sigma_R, k, rank)
        columns[f"hill_{name}"] = estimate
        columns[f"hill_{name}_se"] = None if estimate is None else estimate / (k - 1) ** 0.5
    return columns


def resolution(update: Update, sigma_R: Float[Tensor, " R"], density: float) -> dict[str, Any]:
    """What rounding alone would put into the spectrum, and how much stands above it.

    A wider file whose tuned weights all lie on the bfloat16 grid was rounded before, and is taken
    for what it was. Of FP8 both sides count: W0 too was rounded after it was trained.

    Rounding is taken as uniform within one unit of the last place, so its per-entry variance is
    ulp² / 12 and the largest singular value of such noise is near std (sqrt m + sqrt n).
    """
    rows, cols = update.base_MN.shape
    squares = update.tuned_spacing + update.base_spacing
    std = math.sqrt(squares / (12 * rows * cols))
    edge = std * (math.sqrt(rows) + math.sqrt(cols))
    share = rows * cols * (std / float(sigma_R.norm())) ** 2
    return {
        "noise_floor": edge,
        "noise_share": share,
        "resolved_rank": int((sigma_R > edge).sum()),
        "reliability": (
            "poor" if update.eight_bit else reliability(update.tuned_grid, density, share)
        ),
    }


def reliability(storage: str, density: float, noise_share: float) -> str:
    """How far a spectrum seen in this storage can be trusted.

    Rounding adds its energy to ‖D‖²_F and little to sigma_1², so the stable rank is too high by at
    most about `noise_share`; where few entries are visible even that cannot be told.
    """
    if storage not in SIXTEEN_BITS:
        return "ok"
    if density < 0.15:
        return "poor"
    return "caution" if density < 0.5 or noise_share > NOISE_SHARE else "ok"
