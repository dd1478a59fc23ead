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

    sin² <= sum over i <= k of (‖A v_i - sigma_i u_i‖ / (sigma_i - sigma_{k+1}))² (Davis & Kahan,
    1970, and Wedin, 1972, a vector at a time, to first order in the residuals; the other side's are
    zero or of rounding size), plus what the columns lack in orthogonality. 90 without a gap.
    """
    if factors.kept < k:
        return 90.0
    distance_K = _distances(factors, k)
    sine = factors.residuals.over(distance_K, _rounding(factors)) if distance_K[-1] > 0 else 1.0
    return 90.0 if sine >= 1 else min(90.0, math.degrees(math.asin(sine) + factors.skew / 2))


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
    distance_K = _distances(factors, k)
    if distance_K[-1] <= 0:
        return False
    attainable = 2 * _rounding(factors) * float(distance_K.reciprocal().norm())
    if attainable >= 1:
        return False
    expected = math.degrees(math.asin(attainable))  # its residuals, and the floor for them
    return expected <= ANGLE_TARGET or expected < error / 5


def misses_target(angles: float | None, shift: float | None) -> bool:
    """Whether a row's certificate of its angles, or of its shift, exceeds its target."""
    return (angles or 0) > ANGLE_TARGET or (shift or 0) > SHIFT_TARGET


def _distances(factors: Factors, k: int) -> Float[Tensor, " K"]:
    """sigma_i - sigma_{k+1} for each i <= k, the last value being followed by 0."""
    following = factors.sigma_R[k] if k < len(factors.sigma_R) else 0.0
    return factors.sigma_R[:k] - following


def _rounding(factors: Factors) -> float:
    """What rounding alone does to a residual."""
    return 2 * EPS * float(factors.sigma_R[0])
