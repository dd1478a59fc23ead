"""G10: how much of what training still does happens inside the subspace of the early update.

D_t = W_t - W0 is the early update, R_t = W_T - W_{t+1} the rest of the way. The gap of one
checkpoint keeps their rounding errors apart. M rows, N columns, K vectors, R singular values.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from jaxtyping import Float
from torch import Tensor

from hodograph.matrices.update import Update
from hodograph.tables.thresholds import LockThresholds


def capture(
    rest_MN: Float[Tensor, "M N"], sigma_R: Float[Tensor, " R"], v_NK: Float[Tensor, "N K"]
) -> float | None:
    """Share of R's energy inside span V_K, scaled between chance and the best K directions.

    (‖R V_K‖² / ‖R‖² - K / n) / (sum of s_i², i <= K, over sum s² - K / n): 1 is all that K
    directions could hold, 0 what a random subspace holds. For the left side give R transposed.

    Args:
        rest_MN: R, in float64.
        sigma_R: its singular values, descending.
        v_NK: orthonormal columns, the early update's leading right singular vectors.

    Returns:
        None where R is zero or no K directions hold more than chance.
    """
    energy = float(sigma_R.square().sum())
    size = v_NK.shape[1]
    chance = size / v_NK.shape[0]
    if energy == 0 or size == 0:
        return None
    best = float(sigma_R[:size].square().sum()) / energy
    inside = float((rest_MN @ v_NK).square().sum()) / energy
    return (inside - chance) / (best - chance) if best > chance else None


def rounding_energy(update: Update) -> float:
    """Expected ‖error‖²_F of W1 as stored: the sum of spacing² / 12 over its entries."""
    return update.tuned_spacing / 12


def counts(columns: Mapping[str, Any], thresholds: LockThresholds) -> bool:
    """Whether capture has a value, and enough of the way is left, above rounding, to trust it."""
    energy, over_noise = columns["rest_energy"], columns["rest_over_noise"]
    return (
        columns["capture16"] is not None
        and energy is not None
        and energy >= thresholds.energy
        and over_noise >= thresholds.noise
    )


def lock_step(rows: Sequence[Mapping[str, Any]], thresholds: LockThresholds) -> int | None:
    """t*: the first counted step from which capture stays at the threshold or above.

    None where there is none, or where too few counted checkpoints come after it.

    Args:
        rows: of one matrix, in the order of training, with step, capture16 and lock_counts.
        thresholds: of the lock.
    """
    counted = [row for row in rows if row.get("lock_counts")]
    inside = [row["capture16"] >= thresholds.capture for row in counted]
    first = len(inside) - inside[::-1].index(False) if False in inside else 0
    return counted[first]["step"] if len(counted) - first > thresholds.after else None
