"""Eigenvalues and leading eigenvectors of a Gram matrix from one tridiagonalisation, by LAPACK.

The Gram matrix is formed by dsyrk and reduced once (dsytrd). Few vectors come from relatively
robust representations (dstemr), which take time in proportion to their number, beside all values
without square roots (dsterf); many come from divide and conquer (dstevd), which works at the speed
of matrix products.

R shorter side, L longer side, K leading vectors kept.
"""

import math

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.linalg import get_blas_funcs, get_lapack_funcs
from torch import Tensor

from hodograph.linalg.eigen import PRODUCT_ERROR, Eigen, product_error
from hodograph.linalg.factors import EPS

REDUCTION_ERROR = 4.0 * PRODUCT_ERROR  # in eps lambda_1
SUM_ERROR = 4.0 * REDUCTION_ERROR  # in eps ‖G‖_F; up to a fifth of it was reached, at 2048 rows
MANY = 6  # divide and conquer where more than R / 6 vectors are wanted; see docs/benchmarks.md
Array = NDArray[np.float64]
(_syrk,) = get_blas_funcs(("syrk",), dtype=np.float64)
_sytrd, _sytrd_lwork, _sterf, _stemr, _stevd, _ormqr = get_lapack_funcs(
    ("sytrd", "sytrd_lwork", "sterf", "stemr", "stevd", "ormqr"), dtype=np.float64
)


def tridiagonal_eigen(short_RL: Float[Tensor, "R L"], k: int) -> Eigen | None:
    """Eigenvalues and k leading eigenvectors of W Wᵀ, or None where there is no sound result.

    The bound on the error of the values is of what LAPACK should do. That it did is checked on
    the two sums that similarity keeps; None where they disagree.
    """
    size, length = short_RL.shape
    gram = _gram(short_RL)
    energy_R, squares = gram.diagonal().copy(), _squares(gram)
    trace = float(energy_R.sum())
    if not math.isfinite(trace):
        return None
    work = int(_sytrd_lwork(size, lower=1)[0])
    reflectors, diagonal, off, tau, failed = _sytrd(gram, lower=1, lwork=work, overwrite_a=1)
    solve = many_vectors if k * MANY > size else few_vectors
    found = None if failed else solve(diagonal, off, k)
    if found is None or not adds_up(found[0], trace, squares):
        return None
    lambda_R, z_RK = (_descending(ascending) for ascending in found)
    near_RK = torch.from_numpy(_reflected(reflectors, tau, z_RK) if k else z_RK)
    lambda_R = torch.from_numpy(lambda_R)
    formed = product_error(torch.from_numpy(energy_R), length, lambda_R[0])
    error = formed + REDUCTION_ERROR * EPS * lambda_R[0]
    return Eigen(lambda_R, error.expand(size), near_RK)


def adds_up(lambda_R: Array, trace: float, squares: float) -> bool:
    """Whether eigenvalues have the trace and the Frobenius norm of their matrix, but for rounding.

    For G + E in place of G, with ‖E‖_F at most SUM_ERROR eps ‖G‖_F, the sum of the values moves
    by at most sqrt(R) ‖E‖_F and that of their squares by 2 ‖G‖_F ‖E‖_F.

    Args:
        lambda_R: all eigenvalues of a symmetric matrix.
        trace: of the matrix.
        squares: sum of its squared entries.
    """
    allowed = SUM_ERROR * EPS
    first = abs(float(lambda_R.sum()) - trace) <= allowed * math.sqrt(len(lambda_R) * squares)
    return first and abs(float(lambda_R @ lambda_R) - squares) <= 2 * allowed * squares


def few_vectors(diagonal: Array, off: Array, k: int) -> tuple[Array, Array] | None:
    """All eigenvalues and k vectors of a tridiagonal matrix, ascending."""
    size = len(diagonal)
    lambda_R, failed = _sterf(diagonal, off)
    if failed or not k:
        return None if failed else (lambda_R, np.empty((size, 0)))
    padded = np.append(off, 0.0)
    found, _, z_RK, failed = _stemr(diagonal, padded, 2, 0.0, 0.0, size - k + 1, size)
    return None if failed or found != k else (lambda_R, z_RK[:, :k])


def many_vectors(diagonal: Array, off: Array, k: int) -> tuple[Array, Array] | None:
    """The same, by way of all vectors."""
    lambda_R, z_RR, failed = _stevd(diagonal, off)
    return None if failed else (lambda_R, z_RR[:, len(diagonal) - k :])


def _gram(short_RL: Float[Tensor, "R L"]) -> Array:
    """Lower triangle of W Wᵀ, read as the matrix lies: by rows, or by columns if it was turned."""
    array = short_RL.numpy()
    if array.flags.c_contiguous:
        return _syrk(1.0, array.T, trans=1, lower=1)
    return _syrk(1.0, array, lower=1)


def _squares(lower_RR: Array) -> float:
    """Sum of the squared entries of a symmetric matrix, of which the lower triangle is given."""
    diagonal = lower_RR.diagonal()
    below = np.vecdot(lower_RR.T, lower_RR.T).sum()  # by columns: one long sum loses digits
    return 2 * float(below) - float(diagonal @ diagonal)


def _descending(array: Array) -> Array:
    return array[..., ::-1].copy()  # torch refuses the strides of a reversed view


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
