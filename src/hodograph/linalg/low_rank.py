"""The product of two thin matrices, as LoRA's B A, factored without being formed.

M rows, N columns, R inner dimension, S = min(M, N), C = min(M, N, R), K leading vectors kept.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from hodograph.linalg.factors import EPS, Factors, skew_of
from hodograph.linalg.residuals import Residuals

PRODUCT_ERROR = 4.0  # in eps sqrt(M + N); held against 40-digit arithmetic in the tests


def factor_product(
    left_MR: Float[Tensor, "M R"], right_RN: Float[Tensor, "R N"], k: int
) -> Factors:
    """Every singular value and the leading vectors of left @ right.

    With left = Q0 T0 and rightᵀ = Q1 T1 (QR), the singular values of the small T0 T1ᵀ are those
    of the product, and Q0, Q1 turn its vectors into the product's. Beyond the inner dimension the
    singular values are zero, exactly; no vectors are returned for them.

    Args:
        left_MR: finite, with any scale already in it.
        right_RN: finite.
        k: how many leading singular vectors are wanted on each side; at most C come back.

    Returns:
        Factors of the exact product of the entries given, in float64, on the factors' device.
    """
    left_MR, right_RN = left_MR.double(), right_RN.double()
    q0_MR, t0_RR = torch.linalg.qr(left_MR)
    q1_NR, t1_RR = torch.linalg.qr(right_RN.T)
    core_u_RC, sigma_C, core_vh_CR = torch.linalg.svd(t0_RR @ t1_RR.T, full_matrices=False)
    u_MK, v_NK = q0_MR @ core_u_RC[:, :k], q1_NR @ core_vh_CR[:k].T
    error = PRODUCT_ERROR * EPS * (len(u_MK) + len(v_NK)) ** 0.5 * _size(left_MR, right_RN)
    beyond = min(len(u_MK), len(v_NK)) - len(sigma_C)
    return Factors(
        torch.cat([sigma_C, sigma_C.new_zeros(beyond)]),
        torch.cat([error.expand(len(sigma_C)), error.new_zeros(beyond)]),
        u_MK,
        v_NK,
        Residuals(0, 0.0, _residual(left_MR, right_RN, u_MK, sigma_C[:k], v_NK)),
        max(skew_of(u_MK), skew_of(v_NK)),
        "product",
    )


def _size(left_MR: Tensor, right_RN: Tensor) -> Tensor:
    """Sum over r of ‖column r‖ ‖row r‖: what rounding is relative to, also where terms cancel."""
    return left_MR.norm(dim=0) @ right_RN.norm(dim=1)


def _residual(
    left_MR: Tensor, right_RN: Tensor, u_MK: Tensor, sigma_K: Tensor, v_NK: Tensor
) -> Float[Tensor, " K"]:
    """The larger of ‖A v_i - sigma_i u_i‖ and ‖Aᵀ u_i - sigma_i v_i‖, with their own rounding.

    Both sides come from a QR of their own, so neither residual is zero by construction.
    """
    right_K = (left_MR @ (right_RN @ v_NK) - u_MK * sigma_K).norm(dim=0)
    left_K = (right_RN.T @ (left_MR.T @ u_MK) - v_NK * sigma_K).norm(dim=0)
    return torch.maximum(right_K, left_K) + EPS * _size(left_MR, right_RN)
