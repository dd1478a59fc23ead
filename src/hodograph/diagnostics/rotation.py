"""G3: how far the principal subspaces of W0 turn."""

import math
from typing import Any

from jaxtyping import Float
from torch import Tensor

from hodograph.linalg.certificates import subspace_error
from hodograph.linalg.factors import Factors
from hodograph.linalg.subspaces import principal_angles


def principal_size(rows: int, cols: int, largest: int) -> int:
    """Dimension k of the principal subspaces: min(largest, p // 2), p the shorter side."""
    return min(largest, min(rows, cols) // 2)


def rotation(base: Factors, tuned: Factors, k: int, *, exact: bool = False) -> dict[str, Any]:
    """Principal angles between the top-k subspaces before and after, in degrees, both sides.

    The gap sigma_k - sigma_{k+1} of W0 tells how well the subspace is defined: the largest angle
    is mostly a statistic of it. The certificate adds the errors of both subspaces to that of the
    angles between them as computed.

    Args:
        base: W0's factors.
        tuned: W1's.
        k: dimension of the subspaces.
        exact: always take the sines from a full decomposition.
    """
    if k < 1:
        return {"angle_k": 0}
    base, tuned = base.leading(k), tuned.leading(k)
    left_K, left = principal_angles(base.u_MK, tuned.u_MK, exact=exact)
    right_K, right = principal_angles(base.v_NK, tuned.v_NK, exact=exact)
    # what W0's columns lack in orthonormality is in the sines whole, in its subspace's bound half
    error = max(left, right) + math.degrees(base.skew / 2)
    return {
        "angle_k": k,
        "spectral_gap": float(base.sigma_R[k - 1] - base.sigma_R[k]),
        "certificate_angles": subspace_error(base, k) + subspace_error(tuned, k) + error,
        **_statistics("left", left_K),
        **_statistics("right", right_K),
    }


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
