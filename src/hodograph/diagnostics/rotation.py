"""G3: how far the principal subspaces of W0 turn."""

from typing import Any

from jaxtyping import Float
from torch import Tensor

from hodograph.linalg.factors import Factors
from hodograph.linalg.subspaces import principal_angles


def principal_size(rows: int, cols: int, largest: int) -> int:
    """Dimension k of the principal subspaces: min(largest, p // 2), p the shorter side."""
    return min(largest, min(rows, cols) // 2)


def rotation(base: Factors, tuned: Factors, k: int) -> dict[str, Any]:
    """Principal angles between the top-k subspaces before and after, in degrees, both sides.

    The gap sigma_k - sigma_{k+1} of W0 tells how well the subspace is defined: the largest angle
    is mostly a statistic of it.
    """
    if k < 1:
        return {"angle_k": 0}
    base, tuned = base.leading(k), tuned.leading(k)
    columns: dict[str, Any] = {
        "angle_k": k,
        "spectral_gap": float(base.sigma_R[k - 1] - base.sigma_R[k]),
    }
    columns |= _statistics("left", principal_angles(base.u_MK, tuned.u_MK))
    return columns | _statistics("right", principal_angles(base.v_NK, tuned.v_NK))


def ill_defined(base: Factors, k: int, update_sigma_1: float) -> bool:
    """Whether the update is large against the gap at k: ‖D‖_2 above half of it."""
    return k >= 1 and update_sigma_1 > 0.5 * float(base.sigma_R[k - 1] - base.sigma_R[k])


def _statistics(side: str, angles_K: Float[Tensor, " K"]) -> dict[str, Any]:
    return {
        f"angle_{side}_mean": float(angles_K.mean()),
        f"angle_{side}_median": float(angles_K.quantile(0.5)),
        f"angle_{side}_p95": float(angles_K.quantile(0.95)),
        f"angle_{side}_max": float(angles_K.max()),
    }
