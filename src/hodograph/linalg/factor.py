"""The one place where a matrix is factored; diagnostics ask for factors and never for a method.

M rows, N columns, R = min(M, N), K leading vectors kept.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Factors:
    """Every singular value of a matrix and its leading singular vectors, in float64.

    Attributes:
        sigma_R: all singular values, descending.
        u_MK: leading left singular vectors, as columns.
        v_NK: leading right singular vectors, as columns.
        method: how they were computed.
    """

    sigma_R: Float[Tensor, " R"]
    u_MK: Float[Tensor, "M K"]
    v_NK: Float[Tensor, "N K"]
    method: str

    def leading(self, k: int) -> "Factors":
        """The same factors with at most k vectors."""
        return Factors(self.sigma_R, self.u_MK[:, :k], self.v_NK[:, :k], self.method)

    @property
    def numerical_rank(self) -> int:
        """Singular values above max(M, N) x eps x sigma_1."""
        size = max(self.u_MK.shape[0], self.v_NK.shape[0])
        floor = size * torch.finfo(torch.float64).eps * float(self.sigma_R[0])
        return int((self.sigma_R > floor).sum())


def factor(matrix_MN: Float[Tensor, "M N"], vectors: int) -> Factors:
    """Factor a matrix by a full float64 SVD.

    A wide matrix is turned first: LAPACK's divide and conquer is about 2.5 times slower on it
    than on its contiguous transpose.

    Args:
        matrix_MN: the matrix, finite.
        vectors: how many leading singular vectors are wanted on each side.
    """
    wide = matrix_MN.shape[0] < matrix_MN.shape[1]
    tall = (matrix_MN.T if wide else matrix_MN).double().contiguous()
    left, sigma_R, right_h = torch.linalg.svd(tall, full_matrices=False)
    left, right = left[:, :vectors], right_h[:vectors].T
    u_MK, v_NK = (right, left) if wide else (left, right)
    return Factors(sigma_R, u_MK.contiguous(), v_NK.contiguous(), "svd")
