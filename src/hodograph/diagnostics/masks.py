"""The masks of W0 that visible updates are held against.

principal: the largest entries of |rank-r part of W0|; low: the smallest of |W0| in bfloat16.
A mask of share alpha has exactly round(alpha m n) entries; entries tied at its edge share what is
left of that count equally, so that the order in memory does not matter.

M rows, N columns, E = M N entries, X magnitudes as in `matrices.bits`.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from hodograph.linalg.factors import Factors
from hodograph.matrices import kernels
from hodograph.matrices.bits import CountedBase, Counts, Grades, bits_of, count_base
from hodograph.tables.columns import ALPHAS

KEY_BITS, HALF = 31, 15
PIECE_ROWS = 256
Keys = NDArray[np.int32]
NO_EDGE = (-1, 0.0)  # of a mask without entries
GRADES = 2 * len(ALPHAS) + 1  # inside, on and between the edges of one family's masks


@dataclass(frozen=True)
class Masks:
    """Where every entry lies, and what share of it belongs to each mask.

    Attributes:
        base: W0, counted by the grades of its entries.
        grade_E: the grade of each entry among the principal scores.
        low_X: the grade of each magnitude among the low scores.
        weights: for each mask (`principal_30`, ...), the membership of each cell.
    """

    base: CountedBase
    grade_E: Grades
    low_X: Grades
    weights: dict[str, NDArray[np.float64]]

    @property
    def cell_E(self) -> Grades:
        """One small number an entry: its grade among the principal and the low scores."""
        cell_E = np.empty_like(self.grade_E)
        kernels.mark_cells(self.grade_E, self.low_X, self.base.bits, GRADES, cell_E)
        return cell_E

    def overlaps(self, changed_C: Counts) -> dict[str, float] | None:
        """Share of the changed entries inside each mask; None where nothing changed.

        Args:
            changed_C: how many entries of each cell changed.
        """
        total = int(changed_C.sum())
        if total == 0:
            return None
        return {name: float(changed_C @ weight) / total for name, weight in self.weights.items()}


def masks_of(base_MN: Float[Tensor, "M N"], base: Factors, rank: int) -> Masks:
    """The principal and low-magnitude masks of W0 at every alpha.

    Args:
        base_MN: W0 as stored.
        base: its factors, with at least `rank` vectors.
        rank: r of the part of W0 that the principal masks are cut from.
    """
    return cut(base_MN, principal_keys(base, rank))


def cut(base_MN: Float[Tensor, "M N"], principal_E: Keys) -> Masks:
    """The masks of W0 at every alpha, given its principal keys."""
    grade_E, principal = graded(principal_E)
    counted = count_base(base_MN, grade_E, GRADES)
    low_X, low = graded_magnitudes(counted.entries_GX.sum(axis=0))
    weights = {}
    for index, alpha in enumerate(ALPHAS):
        weights[f"principal_{alpha}"] = np.repeat(principal[index], GRADES)
        weights[f"low_{alpha}"] = np.tile(low[index], GRADES)
    return Masks(counted, grade_E, low_X, weights)


def low_keys(base_MN: Float[Tensor, "M N"]) -> Keys:
    """Keys whose smallest are the smallest of |W0| in bfloat16."""
    return (bits_of(base_MN) & 0x7FFF).astype(np.int32)


def principal_keys(base: Factors, rank: int) -> Keys:
    """Keys whose smallest are the largest entries of |rank-r part of W0|."""
    return _largest_first(_part_keys(base, rank))


def graded(key_E: Keys) -> tuple[Grades, list[NDArray[np.float64]]]:
    """Grade every entry by the edges of the masks of its smallest keys.

    Returns:
        The grade of each entry, how many of (edge - 1, edge) for every edge lie below its key; and
        for each alpha the membership of each grade.
    """
    edges = edges_of(key_E, _wanted(len(key_E)))
    bounds, memberships = _graded(edges)
    return _above(key_E, bounds), memberships


def graded_magnitudes(entries_X: Counts) -> tuple[Grades, list[NDArray[np.float64]]]:
    """Grade every magnitude as `graded` does entries whose keys are their magnitudes.

    Args:
        entries_X: how many entries have each magnitude.
    """
    wanted = _wanted(int(entries_X.sum()))
    bounds, memberships = _graded([_end(entries_X, count) for count in wanted])
    return _above(np.arange(len(entries_X), dtype=np.int32), bounds), memberships


def _wanted(entries: int) -> list[int]:
    return [round(alpha / 100 * entries) for alpha in ALPHAS]


def _graded(edges: list[tuple[int, float]]) -> tuple[list[int], list[NDArray[np.float64]]]:
    """The keys that grades end at, and for each edge the membership of each grade."""
    bounds = [bound for edge, _ in edges for bound in (edge - 1, edge)]
    return bounds, [_membership(bounds, edge, share) for edge, share in edges]


def _above(key_E: Keys, bounds: list[int]) -> Grades:
    """How many of the bounds lie below each key."""
    grade_E = np.empty(len(key_E), np.uint8)
    kernels.grade_keys(key_E, np.array(bounds, np.int32), grade_E)
    return grade_E


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
    kernels.count_upper(key_E, HALF, upper)
    return [_edge(key_E, upper, count) if count else NO_EDGE for count in wanted]


def _edge(key_E: Keys, upper: Counts, wanted: int) -> tuple[int, float]:
    reached = np.cumsum(upper)
    high = int(np.searchsorted(reached, wanted))
    before = int(reached[high] - upper[high])
    lower = np.zeros(1 << HALF, np.int64)
    kernels.count_lower(key_E, HALF, high, lower)
    low, share = _end(lower, wanted - before)
    return (high << HALF) | low, share


def _end(counts: Counts, wanted: int) -> tuple[int, float]:
    """The bin at which that many smallest end, and the share of it still in."""
    if wanted == 0:
        return NO_EDGE
    reached = np.cumsum(counts)
    edge = int(np.searchsorted(reached, wanted))
    below = int(reached[edge] - counts[edge])
    return edge, (wanted - below) / int(counts[edge])


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
