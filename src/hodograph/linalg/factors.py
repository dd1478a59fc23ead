"""What every way of factoring a matrix returns, with bounds on its own errors.

M rows, N columns, R = min(M, N), K leading vectors kept.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from hodograph.linalg.residuals import Residuals

EPS = torch.finfo(torch.float64).eps


def skew_of(q_NK: Float[Tensor, "N K"]) -> float:
    """‖QᵀQ - 1‖_F: what the columns lack in orthonormality."""
    gram_KK = q_NK.T @ q_NK
    gram_KK.diagonal().sub_(1)
    return float(torch.linalg.matrix_norm(gram_KK))


@dataclass(frozen=True)
class Factors:
    """Every singular value of a matrix and its leading singular vectors, in float64.

    Attributes:
        sigma_R: all singular values, descending.
        sigma_error_R: bound on the error of each.
        u_MK: leading left singular vectors, as columns.
        v_NK: leading right singular vectors, as columns.
        residuals: ‖A v_i - sigma_i u_i‖ of the kept pairs.
        skew: bound on ‖Q'Q - 1‖_F of the kept vectors, the larger of the two sides.
        method: how they were computed: "svd", "gram", "eigh" on a device, or "product".
    """

    sigma_R: Float[Tensor, " R"]
    sigma_error_R: Float[Tensor, " R"]
    u_MK: Float[Tensor, "M K"]
    v_NK: Float[Tensor, "N K"]
    residuals: Residuals
    skew: float
    method: str

    def leading(self, k: int) -> "Factors":
        """The same factors with at most k vectors."""
        return Factors(
            self.sigma_R,
            self.sigma_error_R,
            self.u_MK[:, :k],
            self.v_NK[:, :k],
            self.residuals,
            self.skew,
            self.method,
        )

    @property
    def kept(self) -> int:
        """Number of vectors kept on each side."""
        return self.u_MK.shape[1]

    @property
    def numerical_rank(self) -> int:
        """Singular values that stand above the error they were computed with."""
        size = max(self.u_MK.shape[0], self.v_NK.shape[0])
        floor = size * EPS * self.sigma_R[0]
        return int((self.sigma_R > torch.maximum(floor, self.sigma_error_R)).sum())
