"""Eigenvalues and eigenvectors of a Gram matrix on whatever device holds it, by torch.linalg.eigh.

What a device's library does inside is not relied on: the error of its result is bounded from the
result, by three more matrix products.

R shorter side, L longer side, K leading vectors kept.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from hodograph.linalg.eigen import Eigen, product_error
from hodograph.linalg.factors import skew_of


def device_eigen(short_RL: Float[Tensor, "R L"], k: int) -> Eigen | None:
    """Eigenvalues and k leading eigenvectors of W Wᵀ, or None where the library did not converge.

    For G = Z Λ Zᵀ + E and ZᵀZ = 1 + S, an eigenvalue is off by at most ‖E‖_2 (Weyl) plus ‖S‖_2 of
    itself (Ostrowski).
    """
    gram_RR = short_RL @ short_RL.T
    try:
        ascending_R, z_RR = torch.linalg.eigh(gram_RR)
    except torch.linalg.LinAlgError:
        return None
    outside = _norm_bound(gram_RR - (z_RR * ascending_R) @ z_RR.T)
    lambda_R = ascending_R.flip(0)
    own_R = outside + skew_of(z_RR) * lambda_R.abs()
    near_RK = z_RR[:, len(z_RR) - k :].flip(1)
    formed = product_error(gram_RR.diagonal(), short_RL.shape[1], lambda_R[0])
    return Eigen(lambda_R, formed + own_R, near_RK)


def _norm_bound(error_RR: Float[Tensor, "R R"]) -> Tensor:
    """‖EᵀE‖_F^½ (Schatten's 4-norm), at least ‖E‖_2; for random errors a few times that."""
    scale = error_RR.abs().max()
    if scale == 0:
        return scale
    scaled_RR = error_RR / scale  # squares of squares neither overflow nor vanish
    return scale * torch.linalg.matrix_norm(scaled_RR.T @ scaled_RR).sqrt()
