"""The masks of W0 that visible updates are held against.

principal: the largest entries of |rank-r part of W0|; low: the smallest of |W0| in bfloat16.
A mask of share alpha has exactly round(alpha m n) entries; entries tied at its edge share what is
left of that count equally, so that the order in memory does not matter.

M rows, N columns, E = M N entries.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from hodograph.linalg.factors import Factors
from hodograph.matrices.bits import bits_of, pieces
from hodograph.tables.columns import ALPHAS

KEY_BITS, HALF = 31, 15
PIECE_ROWS = 256
Keys = NDArray[np.int32]
GRADES = 2 * len(ALPHAS) + 1  # inside, on and between the edges of one family's masks


@dataclass(frozen=True)
class Masks:
    """Where every entry lies, and what share of it belongs to each mask.

    Attributes:
        cell_E: one small number an entry: its grade among the principal and the low scores.
        weights: for each mask (`principal_30`, ...), the membership of each cell.
    """

    cell_E: NDArray[np.uint8]
    weights: dict[str, NDArray[np.float64]]

    def reordered(self, order_E: NDArray[np.int64]) -> "Masks":
        """The same masks of entries that are put in another order."""
        return Masks(self.cell_E.take(order_E), self.weights)

    def overlaps(self, changed_E: NDArray[np.bool_]) -> dict[str, float] | None:
        """Share of the changed entries inside each mask; None where nothing changed."""
        counts = np.zeros(GRADES**2, np.int64)
        for piece in pieces(len(changed_E)):
            inside = np.compress(changed_E[piece], self.cell_E[piece])
            counts += np.bincount(inside, minlength=len(counts))
        total = int(counts.sum())
        if total == 0:
            return None
        return {name: float(counts @ weight) / total for name, weight in self.weights.items()}


def masks_of(base_MN: Float[Tensor, "M N"], base: Factors, rank: int) -> Masks:
    """The principal and low-magnitude masks of W0 at every alpha.

    Args:
        base_MN: W0.
        base: its factors, with at least `rank` vectors.
        rank: r of the part of W0 that the principal masks are cut from.
    """
    low_E = low_keys(base_MN)
    principal_E = principal_keys(base, rank)
    principal_grade_E, principal = graded(principal_E)
    low_grade_E, low = graded(low_E)
    weights = {}
    for index, alpha in enumerate(ALPHAS):
        weights[f"principal_{alpha}"] = np.repeat(principal[index], GRADES)
        weights[f"low_{alpha}"] = np.tile(low[index], GRADES)
    return Masks(principal_grade_E * np.uint8(GRADES) + low_grade_E, weights)


def low_keys(base_MN: Float[Tensor, "M N"]) -> Keys:
    """Keys whose smallest are the smallest of |W0| in bfloat16."""
    return (bits_of(base_MN) & 0x7FFF).astype(np.int32)


def principal_keys(base: Factors, rank: int) -> Keys:
    """Keys whose smallest are the largest entries of |rank-r part of W0|."""
    return _largest_first(_part_keys(base, rank))


def graded(key_E: Keys) -> tuple[NDArray[np.uint8], list[NDArray[np.float64]]]:
    """Grade every entry by the edges of the masks of its smallest keys.

    Returns:
        The grade of each entry, how many of (edge - 1, edge) for every edge lie below its key; and
        for each alpha the membership of each grade.
    """
    edges = edges_of(key_E, [round(alpha / 100 * len(key_E)) for alpha in ALPHAS])
    bounds = [bound for edge, _ in edges for bound in (edge - 1, edge)]
    grade_E = np.empty(len(key_E), np.uint8)
    for piece in pieces(len(key_E)):
        grade_E[piece] = sum((key_E[piece] > bound).view(np.uint8) for bound in bounds)
    return grade_E, [_membership(bounds, edge, share) for edge, share in edges]


def _membership(bounds: list[int], edge: int, share: float) -> NDArray[np.float64]:
    """Membership of each grade in one mask; a grade no key can have stays 0."""
    membership = np.zeros(GRADES)
    for key in (*bounds, max(bounds) + 1):
        grade = sum(key > bound for bound in bounds)
        membership[grade] = 1.0 if key < edge else share if key == edge else 0.0
    return membership


def edges_of(key_E: Keys, wanted: list[int]) -> list[tuple[int, float]]:
    """For each count: the key at which that many smallest end, and the share of it still in.

    Two histograms, of the upper and of the lower half of the keys, find it exactly.
    """
    upper = np.zeros(1 << (KEY_BITS - HALF), np.int64)
    for piece in pieces(len(key_E)):
        upper += np.bincount(key_E[piece] >> HALF, minlength=len(upper))
    return [_edge(key_E, upper, count) if count else (-1, 0.0) for count in wanted]


def _edge(key_E: Keys, upper: NDArray[np.int64], wanted: int) -> tuple[int, float]:
    reached = np.cumsum(upper)
    high = int(np.searchsorted(reached, wanted))
    before = int(reached[high] - upper[high])
    inside = [
        np.compress(key_E[piece] >> HALF == high, key_E[piece]) & ((1 << HALF) - 1)
        for piece in pieces(len(key_E))
    ]
    lower = np.bincount(np.concatenate(inside), minlength=1 << HALF)
    reached = before + np.cumsum(lower)
    low = int(np.searchsorted(reached, wanted))
    below = int(reached[low] - lower[low])
    return (high << HALF) | low, (wanted - below) / int(lower[low])


def _part_keys(base: Factors, rank: int) -> Keys:
    """|rank-r part of W0| in float32, as integers in the order of the numbers, row by row."""
    top = base.leading(rank)
    scaled_MK = top.u_MK * top.sigma_R[: top.kept]
    pieces = [
        (rows_PK @ top.v_NK.T).abs().float().view(torch.int32).flatten().cpu().numpy()
        for rows_PK in scaled_MK.split(PIECE_ROWS)
    ]
    return np.concatenate(pieces)


def _largest_first(key_E: Keys) -> Keys:
    return np.int32(np.iinfo(np.int32).max) - key_E
