"""G6: how much of the update lies in W0's principal subspaces.

M rows, N columns, R = min(M, N), K leading vectors of W0.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from hodograph.linalg.factors import Factors

BANDS = 8
SIZES = (16, 64)  # beside the k of the rotation


def principal_energy(difference_MN: Float[Tensor, "M N"], base: Factors, k: int) -> dict[str, Any]:
    """Shares of ‖D‖²_F inside W0's top-k subspaces, beside two references.

    The references are an isotropic update (k/m, k/n, k²/(mn)) and W0's own share; the sign of
    the comparison depends on which is taken, so both are given.

    Args:
        difference_MN: D, not zero.
        base: W0's factors, with max(*SIZES, k) vectors where there are so many.
        k: the k of the rotation, used beside SIZES.
    """
    rows, cols = difference_MN.shape
    # float32 is off by 1e-7 of a share at most, at twice the speed; D itself may vanish in it
    unit_MN = (difference_MN / torch.linalg.matrix_norm(difference_MN)).float()
    u_MK, v_NK = base.u_MK.float(), base.v_NK.float()
    turned_KN = u_MK.T @ unit_MN
    by_left_K = _energy(turned_KN)
    by_right_K = _energy(v_NK.T @ unit_MN.T)  # the order of factors that BLAS is fast at
    core_KK = (turned_KN @ v_NK).double().square()
    base_R = base.sigma_R.square() / base.sigma_R.square().sum()
    columns: dict[str, Any] = {}
    for name, wanted in (*((str(one), one) for one in SIZES), ("k", k)):
        size = min(wanted, len(base.sigma_R))
        columns |= {
            f"principal_energy_left_{name}": float(by_left_K[:size].sum()),
            f"principal_energy_left_{name}_isotropic": size / rows,
            f"principal_energy_right_{name}": float(by_right_K[:size].sum()),
            f"principal_energy_right_{name}_isotropic": size / cols,
            f"principal_energy_{name}": float(core_KK[:size, :size].sum()),
            f"principal_energy_{name}_isotropic": size**2 / (rows * cols),
            f"principal_energy_{name}_base": float(base_R[:size].sum()),
        }
    columns["principal_energy_left_bands"] = _bands(by_left_K[:k])
    columns["principal_energy_right_bands"] = _bands(by_right_K[:k])
    return columns


def _energy(part_KN: Float[Tensor, "K N"]) -> Float[Tensor, " K"]:
    return torch.linalg.vector_norm(part_KN, dim=1, dtype=torch.float64).square()


def _bands(share_K: Float[Tensor, " K"]) -> list[float]:
    """Eighths of the top-k subspace, largest singular values first, then all that lies outside."""
    inside = [float(part.sum()) for part in torch.tensor_split(share_K, BANDS)]
    return [*inside, max(0.0, 1 - sum(inside))]
