"""Angles and similarity between subspaces given by orthonormal columns.

N dimension of the space, K of the subspaces.
"""

import torch
from jaxtyping import Float
from torch import Tensor

HALF_RIGHT_ANGLE_COSINE = 0.5**0.5


def principal_angles(
    q0_NK: Float[Tensor, "N K"], q1_NK: Float[Tensor, "N K"]
) -> Float[Tensor, " K"]:
    """Principal angles between two subspaces, in degrees, ascending.

    Up to 45 degrees they are the arcsines of the singular values of Q1 - Q0 (Q0ᵀ Q1), which
    resolve 1e-6 degrees; the cosine form is good to about 1e-3 degrees only (Björck & Golub,
    1973). Above 45 degrees the arccosine is the accurate one.
    """
    cosines_KK = q0_NK.T @ q1_NK
    cosines_K = torch.linalg.svdvals(cosines_KK).clamp(max=1)
    sines_K = torch.linalg.svdvals(q1_NK - q0_NK @ cosines_KK).clamp(max=1).flip(0)
    steep_K = cosines_K < HALF_RIGHT_ANGLE_COSINE
    return torch.rad2deg(torch.where(steep_K, torch.acos(cosines_K), torch.asin(sines_K)))


def similarity(q0_NK: Float[Tensor, "N K"], q1_NK: Float[Tensor, "N K"]) -> float:
    """‖Q0ᵀ Q1‖²_F / K: 1 for equal subspaces, K / N expected for random ones."""
    return float((q0_NK.T @ q1_NK).square().sum() / q0_NK.shape[1])
