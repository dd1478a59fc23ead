"""How far kept vectors are from being singular vectors, without a product for every one of them.

The residuals next to the end of the subspace decide how well it is known: those before are divided
by larger distances in the spectrum. So the last few are computed one by one, and the others
together, by random probes: for a matrix X and a Gaussian Ω of P columns, ‖XΩ‖²_F / P is ‖X‖²_F on
average, and whatever X is,

    P(‖XΩ‖²_F < t P ‖X‖²_F) <= (t e^(1 - t))^(P / 2)

(Chernoff's bound; the worst case is a matrix of rank one). For 16 probes and a bound of six times
the root of the estimate this is below 1e-9.

N dimension of the space, K leading vectors kept, P probes.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

EACH = 32  # residuals computed one by one
PROBES, FACTOR = 16, 6.0


@dataclass(frozen=True)
class Residuals:
    """Bounds on the residuals ‖A v_i - sigma_i u_i‖ of kept vectors.

    Attributes:
        together: how many of the first are bounded as one.
        joint: bound on the Frobenius norm of those.
        each: the residual of every later one.
    """

    together: int
    joint: float
    each: Float[Tensor, " L"]

    def norm(self) -> float:
        """Bound on the Frobenius norm of all of them."""
        return math.hypot(self.joint, float(self.each.norm()))

    def over(self, distance_K: Float[Tensor, " K"], floor: float) -> float:
        """Bound on the norm of the first K residuals, each over its distance.

        Args:
            distance_K: descending, positive.
            floor: what rounding adds to each residual.
        """
        first = min(self.together, len(distance_K))
        each = (self.each[: len(distance_K) - first] + floor) / distance_K[first:]
        if not first:
            return float(each.norm())
        together = self.joint + floor * math.sqrt(first)
        return math.hypot(together / float(distance_K[first - 1]), float(each.norm()))


def residuals_of(
    matrix_RL: Float[Tensor, "R L"],
    left_RK: Float[Tensor, "R K"],
    sigma_K: Float[Tensor, " K"],
    right_LK: Float[Tensor, "L K"],
    *,
    one_by_one: bool = False,
) -> Residuals:
    """Residuals of A v_i = sigma_i u_i.

    Args:
        matrix_RL: A.
        left_RK: its leading left vectors.
        sigma_K: their singular values.
        right_LK: the right vectors.
        one_by_one: compute every one.
    """
    kept = len(sigma_K)
    first = 0 if one_by_one or kept <= EACH + PROBES else kept - EACH
    probes_KP = _probes(first, matrix_RL)
    right_PL = probes_KP.T @ right_LK[:, :first].T  # the order of factors that BLAS is fast at
    left_RP = left_RK[:, :first] @ (sigma_K[:first, None] * probes_KP)
    off_RC = matrix_RL @ torch.cat([right_PL.T, right_LK[:, first:]], dim=1)
    width = len(right_PL)
    joint = FACTOR * float((off_RC[:, :width] - left_RP).norm()) / math.sqrt(PROBES)
    each_RL = off_RC[:, width:] - left_RK[:, first:] * sigma_K[first:]
    return Residuals(first, joint, torch.linalg.vector_norm(each_RL, dim=0))


def skew_bound(q_NK: Float[Tensor, "N K"]) -> float:
    """Bound on ‖QᵀQ - 1‖_F, what the columns lack in orthonormality, by probes."""
    probes_KP = _probes(q_NK.shape[1], q_NK)
    off_KP = q_NK.T @ (q_NK @ probes_KP) - probes_KP
    return FACTOR * float(off_KP.norm()) / math.sqrt(PROBES)


def _probes(size: int, like: Tensor) -> Float[Tensor, "K P"]:
    """Probes of that many entries, of the dtype and on the device of `like`; none for size 0."""
    return _drawn(size, PROBES if size else 0).to(like)


@cache
def _drawn(size: int, count: int) -> Float[Tensor, "K P"]:
    return torch.from_numpy(np.random.default_rng(size).standard_normal((size, count)))
