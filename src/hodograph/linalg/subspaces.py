"""Angles and similarity between subspaces given by orthonormal columns.

N dimension of the space, K of the subspaces.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from hodograph.linalg.factors import EPS
from hodograph.linalg.gram import singular_values
from hodograph.linalg.reference import svd_error

HALF_RIGHT_ANGLE_COSINE = 0.5**0.5
SINE_TARGET = math.radians(1e-8)
PRODUCT_ERROR = 2.0  # in eps (K + sqrt(N K)); held against 40-digit arithmetic in the tests


def principal_angles(
    q0_NK: Float[Tensor, "N K"],
    q1_NK: Float[Tensor, "N K"],
    *,
    exact: bool = False,
) -> tuple[Float[Tensor, " K"], float]:
    """Principal angles between two subspaces, in degrees, ascending, and a bound on their errors.

    They are the arcsines of the singular values of Q1 - Q0 (Q0ᵀ Q1), which resolve 1e-6 degrees
    where the cosine form is good to about 1e-3 degrees only (Björck & Golub, 1973). The slope of
    the arcsine, 1 / cosine, grows towards a right angle; where that costs more than SINE_TARGET,
    angles above 45 degrees come from the cosines.

    Args:
        q0_NK: orthonormal columns.
        q1_NK: the same of the other subspace.
        exact: always take the singular values from a full decomposition.

    Returns:
        The angles, and one bound in degrees on the error of each. It leaves out what the columns
        lack in orthonormality, which whoever made them knows.
    """
    size, k = q0_NK.shape
    cosines_KK = q1_NK.T @ q0_NK
    outside_KN = torch.addmm(q1_NK.T, cosines_KK, q0_NK.T, alpha=-1)
    rounding = PRODUCT_ERROR * EPS * (k + math.sqrt(size * k))
    sines_K, error = _sines(outside_KN, exact)
    angles_K = torch.asin(sines_K)
    bound = _slope(float(sines_K[-1]), error + rounding) * (error + rounding)
    if float(sines_K[-1]) > HALF_RIGHT_ANGLE_COSINE and (exact or bound > SINE_TARGET):
        cosines_K = torch.linalg.svdvals(cosines_KK).clamp(max=1)
        angles_K = torch.where(cosines_K < HALF_RIGHT_ANGLE_COSINE, torch.acos(cosines_K), angles_K)
        bound = math.sqrt(2) * (max(error, svd_error(cosines_KK.shape, 1.0)) + rounding)
    return torch.rad2deg(angles_K), min(90.0, math.degrees(bound))


def _slope(sine: float, error: float) -> float:
    """Bound on the slope of the arcsine up to this sine, which may be off by `error`."""
    largest = min(1.0, sine + error)
    return 1 / math.sqrt(1 - largest**2) if largest < 1 else math.inf


def _sines(outside_KN: Float[Tensor, "K N"], exact: bool) -> tuple[Float[Tensor, " K"], float]:
    """Singular values, ascending, of what of one basis lies outside the other span; their error."""
    found = None if exact else singular_values(outside_KN)
    if found is not None and (error := float(found[1].max())) <= SINE_TARGET:
        sines_K = found[0]
    else:
        sines_K = torch.linalg.svdvals(outside_KN.T)
        error = svd_error(outside_KN.shape, float(sines_K[0]))
    return sines_K.clamp(max=1).flip(0), error


def similarity(q0_NK: Float[Tensor, "N K"], q1_NK: Float[Tensor, "N K"]) -> float:
    """‖Q0ᵀ Q1‖²_F / K: 1 for equal subspaces, K / N expected for random ones."""
    return float((q0_NK.T @ q1_NK).square().sum() / q0_NK.shape[1])
