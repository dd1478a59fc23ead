"""Eigenvalues and eigenvectors of Gram matrices on whatever device holds them, by torch's eigh.

What a device's library does inside is not relied on: the error of its result is bounded from the
result, by three more matrix products.

B matrices, R their shorter side, L longer side of each, K leading vectors kept.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from hodograph.linalg.eigen import Eigen, product_error


def device_eigen(short_RL: Float[Tensor, "R L"], k: int) -> Eigen | None:
    """Eigenvalues and k leading eigenvectors of W Wᵀ, or None where the library did not converge.

    For G = Z Λ Zᵀ + E and ZᵀZ = 1 + S, an eigenvalue is off by at most ‖E‖_2 (Weyl) plus ‖S‖_2 of
    itself (Ostrowski).
    """
    return device_eigens([short_RL], [k])[0]


def device_eigens(shorts: Sequence[Float[Tensor, "R L"]], ks: Sequence[int]) -> list[Eigen | None]:
    """The same of several matrices with one shorter side, in one call of the library.

    Where it did not converge for one of them, it is asked for each by itself.

    Args:
        shorts: the matrices, all on one device.
        ks: leading eigenvectors wanted of each.
    """
    gram_BRR = torch.stack([short_RL @ short_RL.T for short_RL in shorts])
    try:
        ascending_BR, z_BRR = torch.linalg.eigh(gram_BRR)
    except torch.linalg.LinAlgError:
        if len(shorts) == 1:
            return [None]
        return [device_eigen(*one) for one in zip(shorts, ks, strict=True)]
    outside_B = _norm_bounds(gram_BRR - (z_BRR * ascending_BR[:, None]) @ z_BRR.mT)
    skew_B = _skews(z_BRR)
    own_BR = outside_B[:, None] + skew_B[:, None] * ascending_BR.abs()
    found: list[Eigen | None] = []
    for i, (short_RL, k) in enumerate(zip(shorts, ks, strict=True)):
        ascending_R = ascending_BR[i]
        formed = product_error(gram_BRR[i].diagonal(), short_RL.shape[1], ascending_R[-1])
        near_RK = z_BRR[i, :, len(ascending_R) - k :]
        # what flip returns is of this matrix alone: to keep it does not keep the batch
        found.append(Eigen(ascending_R.flip(0), (formed + own_BR[i]).flip(0), near_RK.flip(1)))
    return found


def _skews(z_BRR: Float[Tensor, "B R R"]) -> Float[Tensor, " B"]:
    """‖ZᵀZ - 1‖_F of each."""
    gram_BRR = z_BRR.mT @ z_BRR
    gram_BRR.diagonal(dim1=1, dim2=2).sub_(1)
    return torch.linalg.matrix_norm(gram_BRR)


def _norm_bounds(error_BRR: Float[Tensor, "B R R"]) -> Float[Tensor, " B"]:
    """‖EᵀE‖_F^½ of each (Schatten's 4-norm), at least ‖E‖_2; for random errors a few times that."""
    scale_B = error_BRR.abs().amax(dim=(1, 2))
    divisor_B = torch.where(scale_B > 0, scale_B, 1)
    scaled_BRR = error_BRR / divisor_B[:, None, None]  # squares neither overflow nor vanish
    return scale_B * torch.linalg.matrix_norm(scaled_BRR.mT @ scaled_BRR).sqrt()
