"""A matrix factored through the Gram matrix of its shorter side.

Its eigenvalues are the squares of all singular values, its leading eigenvectors the singular
vectors of that side, and one product gives the other side's. Squaring costs accuracy in small
singular values only, and every error is bounded beside the result.

Inputs are stored weights, within float32's range, so that squares neither overflow nor vanish.
M rows, N columns, R shorter side, L longer side, K leading vectors kept.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from hodograph.linalg.eigen import Eigen
from hodograph.linalg.eigh import device_eigen
from hodograph.linalg.factors import Factors
from hodograph.linalg.residuals import Residuals, residuals_of, skew_bound
from hodograph.linalg.tridiagonal import tridiagonal_eigen

RESOLVED = 1e4  # a vector is kept where its sigma² exceeds this many times the bound on its error


@dataclass(frozen=True)
class Way:
    """One way to the eigenvalues of a Gram matrix, and its name in the column `method`."""

    method: str
    eigen: Callable[[Float[Tensor, "R L"], int], Eigen | None]


TRIDIAGONAL, EIGH = Way("gram", tridiagonal_eigen), Way("eigh", device_eigen)


def way_for(device: torch.device) -> Way:
    """LAPACK on the CPU, the device's own library elsewhere."""
    return TRIDIAGONAL if device.type == "cpu" else EIGH


def by_gram(
    matrix_MN: Float[Tensor, "M N"], vectors: int, way: Way | None = None
) -> Factors | None:
    """Factor a matrix through its Gram matrix, or None where that cannot be done.

    (The eigenvalues did not converge, or there is one row.)

    Vectors of singular values too small for the squared matrix to tell from rounding are left
    out, so that fewer than `vectors` may come back.

    Args:
        matrix_MN: the matrix, on any device; the factors are on the same.
        vectors: leading singular vectors wanted on each side.
        way: to the eigenvalues; that of the matrix's device where not given.
    """
    way, short_RL = way or way_for(matrix_MN.device), short_side(matrix_MN)
    found = way.eigen(short_RL, min(vectors, len(short_RL))) if len(short_RL) > 1 else None
    return None if found is None else from_eigen(matrix_MN, short_RL, found, way.method)


def from_eigen(
    matrix_MN: Float[Tensor, "M N"], short_RL: Float[Tensor, "R L"], found: Eigen, method: str
) -> Factors:
    """The factors that eigenvalues and vectors of the Gram matrix give, as `by_gram`.

    Args:
        matrix_MN: the matrix.
        short_RL: its `short_side`.
        found: eigenvalues and leading eigenvectors of the latter's Gram matrix.
        method: how they were computed.
    """
    sigma_R, error_R = found.sigma()
    asked = found.near_RK.shape[1]
    kept = int((found.lambda_R[:asked] > RESOLVED * found.error_R[:asked]).sum())
    near_RK, sigma_K = found.near_RK[:, :kept], sigma_R[:kept]
    # the order of factors that BLAS is fast at, divided where it lies
    far_LK = (near_RK.T @ short_RL).div_(sigma_K[:, None]).T
    residuals = residuals_of(short_RL, near_RK, sigma_K, far_LK)
    wide = len(short_RL) == matrix_MN.shape[0]
    u_MK, v_NK = (near_RK, far_LK) if wide else (far_LK, near_RK)
    skew = _skew(near_RK, sigma_K, residuals)
    return Factors(sigma_R, error_R, u_MK, v_NK, residuals, skew, method)


def sharpened(matrix_MN: Float[Tensor, "M N"], factors: Factors) -> Factors:
    """The same factors, with the residual of every vector computed instead of bounded together."""
    if not factors.residuals.together:
        return factors
    wide = matrix_MN.shape[0] <= matrix_MN.shape[1]
    near_RK, far_LK = (factors.u_MK, factors.v_NK) if wide else (factors.v_NK, factors.u_MK)
    sigma_K = factors.sigma_R[: factors.kept]
    residuals = residuals_of(short_side(matrix_MN), near_RK, sigma_K, far_LK, one_by_one=True)
    skew = _skew(near_RK, sigma_K, residuals)
    return replace(factors, residuals=residuals, skew=skew)


def singular_values(
    matrix_MN: Float[Tensor, "M N"],
) -> tuple[Float[Tensor, " R"], Float[Tensor, " R"]] | None:
    """All singular values, descending, with a bound on the error of each; None as in `by_gram`."""
    short_RL = short_side(matrix_MN)
    found = way_for(matrix_MN.device).eigen(short_RL, 0) if len(short_RL) > 1 else None
    return None if found is None else found.sigma()


def short_side(matrix_MN: Float[Tensor, "M N"]) -> Float[Tensor, "R L"]:
    """The matrix in float64 with its shorter side as rows; it is turned where it lies."""
    wide = matrix_MN.shape[0] <= matrix_MN.shape[1]
    lying_MN = matrix_MN.contiguous().double()
    return lying_MN if wide else lying_MN.T


def _skew(
    near_RK: Float[Tensor, "R K"], sigma_K: Float[Tensor, " K"], residuals: Residuals
) -> float:
    """Bound on ‖Q'Q - 1‖_F of the worse side.

    The far side is not multiplied out: v_jᵀ v_i = u_jᵀ (sigma_i u_i + r_i) / sigma_j, so it lacks
    at most (‖R‖_F + sigma_1 times the near side's) / sigma_K.
    """
    near = skew_bound(near_RK)
    if not len(sigma_K):
        return near
    return max(near, (residuals.norm() + float(sigma_K[0]) * near) / float(sigma_K[-1]))
