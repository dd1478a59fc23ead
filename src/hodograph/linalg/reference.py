"""The reference: a full float64 singular value decomposition.

M rows, N columns, R = min(M, N), K leading vectors kept.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from hodograph.linalg.factors import EPS, Factors, skew_of

SVD_ERROR = 4.0  # in eps sqrt(M + N) sigma_1; held against 40-digit arithmetic in the tests


def by_svd(matrix_MN: Float[Tensor, "M N"], vectors: int) -> Factors:
    """Factor a matrix by LAPACK's divide and conquer.

    A wide matrix is turned first: it would be about 2.5 times slower than its contiguous transpose.
    """
    wide = matrix_MN.shape[0] < matrix_MN.shape[1]
    tall = (matrix_MN.T if wide else matrix_MN).double().contiguous()
    left, sigma_R, right_h = torch.linalg.svd(tall, full_matrices=False)
    left_K, right_K = left[:, :vectors].contiguous(), right_h[:vectors].T.contiguous()
    residual_K = (tall @ right_K - left_K * sigma_R[:vectors]).norm(dim=0)
    u_MK, v_NK = (right_K, left_K) if wide else (left_K, right_K)
    error = SVD_ERROR * EPS * sum(matrix_MN.shape) ** 0.5 * sigma_R[0]
    skew = max(skew_of(u_MK), skew_of(v_NK))
    return Factors(sigma_R, error.expand(len(sigma_R)), u_MK, v_NK, residual_K, skew, "svd")
