"""Angles and similarity between subspaces given by orthonormal columns.

N dimension of the space, K of the subspaces.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from hodograph.linalg.gram import singular_values

HALF_RIGHT_ANGLE_COSINE = 0.5**0.5
SINE_TARGET = 1e-10  # 6e-9 degrees


def principal_angles(
    q0_NK: Float[Tensor, "N K"], q1_NK: Float[Tensor, "N K"]
) -> Float[Tensor, " K"]:
    """Principal angles between two subspaces, in degrees, ascending.

    Up to 45 degrees they are the arcsines of the singular values of Q1 - Q0 (Q0ᵀ Q1), which
    resolve 1e-6 degrees; the cosine form is good to about 1e-3 degrees only (Björck & Golub,
    1973). Above 45 degrees the arccosine is the accurate one.
    """
    cosines_KK = q0_NK.T @ q1_NK
    sines_K = _sines(q1_NK - q0_NK @ cosines_KK)
    angles_K = torch.asin(sines_K)
    if float(sines_K[-1]) > HALF_RIGHT_ANGLE_COSINE:
        cosines_K = torch.linalg.svdvals(cosines_KK).clamp(max=1)
        angles_K = torch.where(cosines_K < HALF_RIGHT_ANGLE_COSINE, torch.acos(cosines_K), angles_K)
    return torch.rad2deg(angles_K)


def _sines(outside_NK: Float[Tensor, "N K"]) -> Float[Tensor, " K"]:
    """Singular values, ascending, of what of one basis lies outside the other span."""
    found = singular_values(outside_NK)
    if found is None or float(found[1].max()) > SINE_TARGET:
        sines_K = torch.linalg.svdvals(outside_NK)
    else:
        sines_K = found[0]
    return sines_K.clamp(max=1).flip(0)


def similarity(q0_NK: Float[Tensor, "N K"], q1_NK: Float[Tensor, "N K"]) -> float:
    """‖Q0ᵀ Q1‖²_F / K: 1 for equal subspaces, K / N expected for random ones."""
    return float((q0_NK.T @ q1_NK).square().sum() / q0_NK.shape[1])
