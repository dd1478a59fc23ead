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
    total = float(difference_MN.square().sum())
    turned_KN = base.u_MK.T @ difference_MN
    by_left_K = turned_KN.square().sum(dim=1) / total
    by_right_K = (difference_MN @ base.v_NK).square().sum(dim=0) / total
    core_KK = turned_KN @ base.v_NK
    base_R = base.sigma_R.square() / base.sigma_R.square().sum()
    columns: dict[str, Any] = {}
    for name, wanted in (*((str(one), one) for one in SIZES), ("k", k)):
        size = min(wanted, len(base.sigma_R))
        columns |= {
            f"principal_energy_left_{name}": float(by_left_K[:size].sum()),
            f"principal_energy_left_{name}_isotropic": size / rows,
            f"principal_energy_right_{name}": float(by_right_K[:size].sum()),
            f"principal_energy_right_{name}_isotropic": size / cols,
            f"principal_energy_{name}": float(core_KK[:size, :size].square().sum()) / total,
            f"principal_energy_{name}_isotropic": size**2 / (rows * cols),
            f"principal_energy_{name}_base": float(base_R[:size].sum()),
        }
    columns["principal_energy_left_bands"] = _bands(by_left_K[:k])
    columns["principal_energy_right_bands"] = _bands(by_right_K[:k])
    return columns


def _bands(share_K: Float[Tensor, " K"]) -> list[float]:
    """Eighths of the top-k subspace, largest singular values first, then all that lies outside."""
    inside = [float(part.sum()) for part in torch.tensor_split(share_K, BANDS)]
    return [*inside, 1 - sum(inside)]
