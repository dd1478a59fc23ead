"""One tridiagonalisation gives every singular value and the leading vectors of a matrix.

The Gram matrix of the shorter side is reduced to tridiagonal form once (dsytrd); all its
eigenvalues come from there without square roots (dsterf), the leading eigenvectors by relatively
robust representations (dstemr), and the other side's vectors by one product. Squaring costs
accuracy in small singular values only, and every error is bounded beside the result.

Inputs are stored weights, within float32's range, so that squares neither overflow nor vanish.
R shorter side, L longer side, K leading vectors kept.
"""

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.linalg import get_blas_funcs, get_lapack_funcs
from torch import Tensor

from hodograph.linalg.factors import EPS, Factors, skew_of

GRAM_ERROR = 2.0  # in eps
REDUCTION = 4.0  # in eps lambda_1
RESOLVED = 1e4  # a vector is kept where its sigma² exceeds this many times the bound on its error
Array = NDArray[np.float64]
(_syrk,) = get_blas_funcs(("syrk",), dtype=np.float64)
_sytrd, _sytrd_lwork, _sterf, _stemr, _ormqr = get_lapack_funcs(
    ("sytrd", "sytrd_lwork", "sterf", "stemr", "ormqr"), dtype=np.float64
)


def by_gram(matrix_MN: Float[Tensor, "M N"], vectors: int) -> Factors | None:
    """Factor a matrix through its Gram matrix, or None where that cannot be done.

    (LAPACK did not converge, or there is one row.)

    Vectors of singular values too small for the squared matrix to tell from rounding are left
    out, so that fewer than `vectors` may come back.
    """
    wide = matrix_MN.shape[0] < matrix_MN.shape[1]
    short = (matrix_MN if wide else matrix_MN.T).double().contiguous().numpy()
    found = _eigen(short, min(vectors, len(short))) if len(short) > 1 else None
    if found is None:
        return None
    lambda_R, near_RK = found
    error = _eigenvalue_error(short, lambda_R)
    sigma_R = np.sqrt(np.maximum(lambda_R, 0))
    kept = int((lambda_R[: near_RK.shape[1]] > RESOLVED * error).sum())
    near_RK = near_RK[:, :kept]
    far_LK = (short.T @ near_RK) / sigma_R[:kept]
    residual_K = np.linalg.norm(short @ far_LK - near_RK * sigma_R[:kept], axis=0)
    near, far = _tensor(near_RK), _tensor(far_LK)
    u_MK, v_NK = (near, far) if wide else (far, near)
    return Factors(
        _tensor(sigma_R),
        _tensor(_sigma_error(lambda_R, error)),
        u_MK,
        v_NK,
        _tensor(residual_K),
        _skew(near, sigma_R, residual_K),
        "gram",
    )


def singular_values(
    matrix_MN: Float[Tensor, "M N"],
) -> tuple[Float[Tensor, " R"], Float[Tensor, " R"]] | None:
    """All singular values, descending, with a bound on the error of each; None as in `by_gram`."""
    wide = matrix_MN.shape[0] < matrix_MN.shape[1]
    short = (matrix_MN if wide else matrix_MN.T).double().contiguous().numpy()
    reduced = _reduced(short) if len(short) > 1 else None
    if reduced is None:
        return None
    lambda_R = reduced[0]
    error = _eigenvalue_error(short, lambda_R)
    return _tensor(np.sqrt(np.maximum(lambda_R, 0))), _tensor(_sigma_error(lambda_R, error))


def _skew(near_RK: Tensor, sigma_R: Array, residual_K: Array) -> float:
    """‖Q'Q - 1‖_F of the worse side.

    The far side is not multiplied out: v_jᵀ v_i = u_jᵀ (sigma_i u_i + r_i) / sigma_j, so it lacks
    at most (‖R‖_F + sigma_1 times the near side's) / sigma_K.
    """
    near = skew_of(near_RK)
    if not len(residual_K):
        return near
    far = (np.linalg.norm(residual_K) + sigma_R[0] * near) / sigma_R[len(residual_K) - 1]
    return max(near, float(far))


def _reduced(short: Array) -> tuple[Array, Array, Array, Array, Array] | None:
    """Eigenvalues of short shortᵀ, descending, and its tridiagonal form with the reflectors."""
    size = len(short)
    gram = _syrk(1.0, short.T, trans=1, lower=1)
    work = int(_sytrd_lwork(size, lower=1)[0])
    reflectors, diagonal, off, tau, failed = _sytrd(gram, lower=1, lwork=work, overwrite_a=1)
    if failed:
        return None
    lambda_R, failed = _sterf(diagonal, off)
    return None if failed else (lambda_R[::-1].copy(), diagonal, off, reflectors, tau)


def _eigen(short: Array, k: int) -> tuple[Array, Array] | None:
    """All eigenvalues, descending, and the k leading eigenvectors of short shortᵀ."""
    reduced, size = _reduced(short), len(short)
    if reduced is None:
        return None
    lambda_R, diagonal, off, reflectors, tau = reduced
    padded = np.append(off, 0.0)
    found, _, z_RK, failed = _stemr(diagonal, padded, 2, 0.0, 0.0, size - k + 1, size)
    if failed or found != k:
        return None
    vectors_RK = _reflected(reflectors, tau, z_RK[:, :k])
    return lambda_R, np.ascontiguousarray(vectors_RK[:, ::-1])


def _reflected(reduced: Array, tau: Array, z_RK: Array) -> Array:
    """Turn eigenvectors of the tridiagonal matrix into those of the full one.

    The reflectors of dsytrd's lower form leave the first row alone and act on the others as those
    of a QR factorisation, which is what dormtr does inside.
    """
    reflectors = np.asfortranarray(reduced[1:, :-1])
    below = np.asfortranarray(z_RK[1:])
    work = int(_ormqr("L", "N", reflectors, tau, below, -1)[1][0])
    turned, _, _ = _ormqr("L", "N", reflectors, tau, below, work, overwrite_c=1)
    return np.vstack([z_RK[:1], turned])


def _eigenvalue_error(short: Array, lambda_R: Array) -> float:
    """Bound on |error of lambda|: rounding of the products, then of the reduction.

    Rounding errors are taken as random in sign (Higham & Mary, 2019). The product of two rows is
    then off by about eps |w_i| |w_j|, as a matrix by eps max |w_i| ‖W‖_F; a row's with itself, a
    sum of squares that only grows, by eps sqrt(L) |w_i|². Where rows point one way, all products
    grow so, and lambda_1 sqrt(L / R) is what that adds. The reduction adds a few eps lambda_1.
    The tests hold the bound against 40 digits, and at size against the SVD.
    """
    size, length = short.shape
    energy_R = np.einsum("ij,ij->i", short, short)
    largest = float(energy_R.max())
    products = np.sqrt(largest * energy_R.sum()) + length**0.5 * largest
    aligned = (REDUCTION + (length / size) ** 0.5) * lambda_R[0]
    return GRAM_ERROR * EPS * float(products + aligned)


def _sigma_error(lambda_R: Array, error: float) -> Array:
    """Bound on |error of sigma| from one on lambda = sigma²."""
    sigma_R = np.sqrt(np.maximum(lambda_R, 0))
    lowest = np.sqrt(np.maximum(lambda_R - error, 0))
    small = lambda_R <= error
    divided = np.divide(error, sigma_R + lowest, out=np.zeros_like(sigma_R), where=~small)
    return np.where(small, np.sqrt(np.maximum(lambda_R, 0) + error), divided)


def _tensor(array: Array) -> Tensor:
    return torch.from_numpy(array.copy())  # reversed views have strides torch refuses
