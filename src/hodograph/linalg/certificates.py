"""How far a computed subspace or spectrum can be from the true one.

N dimension of the space, K of the subspace.
"""

import math

from jaxtyping import Float
from torch import Tensor

from hodograph.linalg.factors import EPS, Factors

ANGLE_TARGET = 1e-6  # degrees
SHIFT_TARGET = 1e-4  # relative error of the normalized spectral shift


def subspace_error(factors: Factors, k: int) -> float:
    """Bound, in degrees, on the angle between the computed and the true top-k subspace.

    sin <= ‖A V_k - U_k Sigma_k‖_F / (sigma_k - sigma_{k+1}) (Wedin, 1972, to first order in the
    residual; the other side's residual is zero or of rounding size), plus what the columns lack in
    orthogonality. 90 where there is no gap.
    """
    if factors.kept < k:
        return 90.0
    gap = spectral_gap(factors.sigma_R, k)
    residual = float(factors.residual_K[:k].norm()) + _rounding(factors, k)
    if gap <= residual:
        return 90.0
    return min(90.0, math.degrees(math.asin(residual / gap) + factors.skew / 2))


def spectral_gap(sigma_R: Float[Tensor, " R"], k: int) -> float:
    """sigma_k - sigma_{k+1}, the last value being followed by 0."""
    following = float(sigma_R[k]) if k < len(sigma_R) else 0.0
    return float(sigma_R[k - 1]) - following


def shift_error(base: Factors, tuned: Factors) -> float | None:
    """Bound on the relative error of ‖sigma(W1) - sigma(W0)‖; None where the shift is zero."""
    shift = float((tuned.sigma_R - base.sigma_R).norm())
    if shift == 0:
        return None
    return float((base.sigma_error_R + tuned.sigma_error_R).norm()) / shift


def reference_would_help(factors: Factors, k: int) -> bool:
    """Whether a full SVD can be expected to meet the target at k, or to come five times closer.

    It cannot where the gap alone makes the subspace uncertain: no method in this precision can.
    """
    if factors.kept < k:
        return True
    error = subspace_error(factors, k)
    if error <= ANGLE_TARGET:
        return False
    gap = spectral_gap(factors.sigma_R, k)
    attainable = _rounding(factors, k)
    if gap <= 2 * attainable:
        return False
    expected = math.degrees(math.asin(2 * attainable / gap))  # its residual, and the floor for it
    return expected <= ANGLE_TARGET or expected < error / 5


def misses_target(angles: float | None, shift: float | None) -> bool:
    """Whether a row's certificate of its angles, or of its shift, exceeds its target."""
    return (angles or 0) > ANGLE_TARGET or (shift or 0) > SHIFT_TARGET


def _rounding(factors: Factors, k: int) -> float:
    """What rounding alone does to k residuals of the size of sigma_1."""
    return 2 * EPS * math.sqrt(k) * float(factors.sigma_R[0])
