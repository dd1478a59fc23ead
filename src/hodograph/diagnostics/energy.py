"""G6: how much of the update lies in W0's principal subspaces.

M rows, N columns, R = min(M, N).
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from hodograph.linalg.factor import Factors


def principal_energy(difference_MN: Float[Tensor, "M N"], base: Factors, k: int) -> dict[str, Any]:
    """Shares of ‖D‖²_F inside W0's top-k subspaces, beside two references.

    The references are an isotropic update (k/m, k/n, k²/(mn)) and W0's own share; the sign of
    the comparison depends on which is taken, so both are given.

    Args:
        difference_MN: D, not zero.
        base: every singular vector of W0.
        k: the k of the rotation, used beside 16 and 64.
    """
    (rows, cols), sides = difference_MN.shape, len(base.sigma_R)
    total = float(difference_MN.square().sum())
    turned_RN, turned_MR = base.u_MK.T @ difference_MN, difference_MN @ base.v_NK
    core_RR = turned_RN @ base.v_NK
    by_left_R = turned_RN.square().sum(dim=1) / total
    by_right_R = turned_MR.square().sum(dim=0) / total
    base_R = base.sigma_R.square() / base.sigma_R.square().sum()
    columns: dict[str, Any] = {}
    for name, wanted in (("16", 16), ("64", 64), ("k", k)):
        size = min(wanted, sides)
        columns |= {
            f"energy_left_{name}": float(by_left_R[:size].sum()),
            f"energy_left_{name}_isotropic": size / rows,
            f"energy_right_{name}": float(by_right_R[:size].sum()),
            f"energy_right_{name}_isotropic": size / cols,
            f"energy_both_{name}": float(core_RR[:size, :size].square().sum()) / total,
            f"energy_both_{name}_isotropic": size**2 / (rows * cols),
            f"energy_{name}_base": float(base_R[:size].sum()),
        }
    columns["energy_left_deciles"] = _deciles(by_left_R)
    columns["energy_right_deciles"] = _deciles(by_right_R)
    return columns


def _deciles(share_R: Float[Tensor, " R"]) -> list[float]:
    return [float(part.sum()) for part in torch.tensor_split(share_R, 10)]
