"""G3: how far an isotropic update of the same norm would turn the principal subspaces.

To first order, a Gaussian update with entries of standard deviation s turns the direction i <= k
towards j > k by a Gaussian tangent of variance

    s² (sigma_i² + sigma_j²) / (sigma_i² - sigma_j²)²     inside the space of W0's directions
    s² / sigma_i²                                         outside it, on the longer side

independently for every pair (i, j). The arctangents of this matrix's singular values are the
principal angles. It needs W0's spectrum alone and scales with s, so a few draws a matrix serve all
its checkpoints. See docs/design/nulls.md for where it holds.

M rows, N columns, R = min(M, N), K directions of the subspace, T draws.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from hodograph.linalg.factors import Factors
from hodograph.linalg.together import singular_values_together

DRAWS = 2
NO_GAP = "the gap at k is not above the error of the spectrum, or k is 0"
LARGEST_MEAN = 30.0  # degrees; beyond, subspaces are so mixed that the first order fails


@dataclass(frozen=True)
class IsotropicTurn:
    """Tangents of the principal angles that an isotropic update of unit scale gives.

    Attributes:
        left_TK: of the left subspace, one row a draw.
        right_TK: of the right subspace.
    """

    left_TK: Float[Tensor, "T K"]
    right_TK: Float[Tensor, "T K"]

    def means(self, scale: float) -> dict[str, Any]:
        """Mean angles in degrees for entries of that standard deviation; None above 30."""
        sides = {"left": self.left_TK, "right": self.right_TK}
        columns: dict[str, Any] = {
            f"angle_{side}_mean_null": _mean_angle(tangents_TK * scale)
            for side, tangents_TK in sides.items()
        }
        beyond = [side for side in sides if columns[f"angle_{side}_mean_null"] is None]
        if beyond:
            columns["angle_null_reason"] = (
                f"an isotropic update turns it by more than {LARGEST_MEAN:g} degrees"
                f" ({' and '.join(beyond)})"
            )
        return columns


def isotropic_means(turn: IsotropicTurn | None, scale: float) -> dict[str, Any]:
    """Null of the mean angles, or the reason why there is none.

    Args:
        turn: of this matrix.
        scale: standard deviation of the update's entries.
    """
    return {"angle_null_reason": NO_GAP} if turn is None else turn.means(scale)


def isotropic_turn(base: Factors, rows: int, cols: int, k: int, seed: int) -> IsotropicTurn | None:
    """Draw the first-order turn of W0's top-k subspaces; both sides see the same draws.

    Returns:
        The turn, or None where k is 0 or the gap at k is below the error of the spectrum.
    """
    if k < 1:
        return None
    gap = float(base.sigma_R[k - 1] - base.sigma_R[k])
    if gap <= float(base.sigma_error_R[k - 1] + base.sigma_error_R[k]):
        return None
    short, outside = min(rows, cols), abs(rows - cols)
    drawn = _drawn(base.sigma_R, k, 0, seed)
    if outside:
        drawn += _drawn(base.sigma_R, k, outside, seed)
    tangents_TK = torch.stack(_singular_values(drawn))
    inside_TK, beyond_TK = tangents_TK[:DRAWS], tangents_TK[-DRAWS:]
    return IsotropicTurn(
        beyond_TK if rows > short else inside_TK, beyond_TK if cols > short else inside_TK
    )


def deviations(sigma_R: Float[Tensor, " R"], k: int) -> Float[Tensor, "J K"]:
    """Standard deviation, for s = 1, of the tangent from each i <= k to each of the J = R - k."""
    inner_K, outer_J = sigma_R[:k], sigma_R[k:, None]
    squares_JK = inner_K.square() + outer_J.square()
    return squares_JK.sqrt() / ((inner_K - outer_J) * (inner_K + outer_J))


def _drawn(
    sigma_R: Float[Tensor, " R"], k: int, outside: int, seed: int
) -> list[Float[Tensor, "J K"]]:
    """Draws of the turn of one side, with so many directions outside of the other's."""
    generator, deviation_JK = np.random.default_rng(seed), deviations(sigma_R, k)
    drawn = []
    for _ in range(DRAWS):
        normal_JK = torch.from_numpy(generator.standard_normal(deviation_JK.shape))
        rows = [normal_JK.to(sigma_R.device) * deviation_JK]
        if outside:
            beyond_JK = _gaussian_rows(outside, k, generator).to(sigma_R.device)
            rows.append(beyond_JK / sigma_R[:k])
        drawn.append(torch.cat(rows))
    return drawn


def _gaussian_rows(count: int, k: int, generator: np.random.Generator) -> Float[Tensor, "J K"]:
    """A Gaussian matrix of so many rows, or a k x k one with the same law of its Gram matrix.

    (Bartlett, 1933: the triangular factor has independent normal and chi entries.)
    """
    if count <= k:
        return torch.from_numpy(generator.standard_normal((count, k)))
    triangle = np.triu(generator.standard_normal((k, k)), 1)
    np.fill_diagonal(triangle, np.sqrt(generator.chisquare(count - np.arange(k))))
    return torch.from_numpy(triangle)


def _singular_values(drawn: list[Float[Tensor, "J K"]]) -> list[Float[Tensor, " K"]]:
    """The fast ones where a nearly closed gap does not drown the small ones in its error."""
    return [
        torch.linalg.svdvals(matrix_JK)
        if found is None or float(found[1].median()) > 1e-3 * float(found[0].median())
        else found[0]
        for matrix_JK, found in zip(drawn, singular_values_together(drawn), strict=True)
    ]


def _mean_angle(tangents_TK: Float[Tensor, "T K"]) -> float | None:
    mean = float(torch.rad2deg(tangents_TK.atan()).mean())
    return mean if mean <= LARGEST_MEAN else None
