"""The reference: a full float64 singular value decomposition.

M rows, N columns, R = min(M, N), K leading vectors kept.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from hodograph.errors import FactoringError
from hodograph.linalg.factors import EPS, Factors, skew_of
from hodograph.linalg.residuals import residuals_of

SVD_ERROR = 4.0  # in eps sqrt(M + N) sigma_1; held against 40-digit arithmetic in the tests


def by_svd(matrix_MN: Float[Tensor, "M N"], vectors: int) -> Factors:
    """Factor a matrix by LAPACK's divide and conquer.

    A wide matrix is turned first: it would be about 2.5 times slower than its contiguous transpose.

    Raises:
        FactoringError: LAPACK did not converge, or entries are NaN or infinite.
    """
    wide = matrix_MN.shape[0] < matrix_MN.shape[1]
    tall = (matrix_MN.T if wide else matrix_MN).double().contiguous()
    try:
        left, sigma_R, right_h = torch.linalg.svd(tall, full_matrices=False)
    except torch.linalg.LinAlgError as error:
        raise _failed(matrix_MN) from error
    if not bool(torch.isfinite(sigma_R).all()):  # what LAPACK makes of some infinite matrices
        raise _failed(matrix_MN)
    left_K, right_K = left[:, :vectors].contiguous(), right_h[:vectors].T.contiguous()
    residuals = residuals_of(tall, left_K, sigma_R[:vectors], right_K, one_by_one=True)
    u_MK, v_NK = (right_K, left_K) if wide else (left_K, right_K)
    error = sigma_R.new_full(sigma_R.shape, svd_error(tall.shape, float(sigma_R[0])))
    skew = max(skew_of(u_MK), skew_of(v_NK))
    return Factors(sigma_R, error, u_MK, v_NK, residuals, skew, "svd")


def svd_error(shape: Sequence[int], sigma_1: float) -> float:
    """Bound on the error of every singular value that LAPACK's decomposition returns."""
    return SVD_ERROR * EPS * sum(shape) ** 0.5 * sigma_1


def _failed(matrix_MN: Float[Tensor, "M N"]) -> FactoringError:
    rows, cols = matrix_MN.shape
    return FactoringError(
        f"the singular values of a {rows} x {cols} matrix, entries up to"
        f" {float(matrix_MN.abs().max()):.3g}, do not converge."
    )
