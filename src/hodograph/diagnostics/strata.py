"""G5: overlaps held against entries of the same spacing, exponent by exponent.

Whether an entry visibly changes depends on the spacing of bfloat16 at that entry. So a mask is
compared with its complement inside strata of equal spacing: entries of one exponent of W0, those
whose mantissa is zero apart, since the number below them is half as far.

E entries, S strata, C cells of the masks, G grades, X magnitudes as in `matrices.bits`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hodograph.diagnostics.masks import GRADES
from hodograph.matrices.bits import MAGNITUDES, MANTISSA, Bits, Census, Counts, Grades

STRATA = 512  # 2 * exponent + (mantissa is zero)
CELLS = GRADES**2
Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Strata:
    """Entries and visible changes by stratum of W0 and cell of its masks.

    Attributes:
        entries_SC: entries.
        changed_SC: those of them that visibly changed.
    """

    entries_SC: Counts
    changed_SC: Counts

    def overlap(self, weight_C: Reals) -> float:
        """Share of the changed entries in a mask, given each cell's membership."""
        return float(self.changed_SC.sum(axis=0) @ weight_C / self.changed_SC.sum())


@dataclass(frozen=True)
class Comparison:
    """An overlap beside what its strata alone would give.

    Attributes:
        expected: overlap expected if the changed entries of every stratum were a random draw from
            it, sum over strata of m_e x_e / n_e, over the changed entries.
        z: overlap less expected, in standard deviations of that draw; None where it cannot vary.
        odds_ratio: of changing inside the mask against outside, pooled over strata (Mantel &
            Haenszel, 1959); None where no stratum tells.
    """

    expected: float
    z: float | None
    odds_ratio: float | None


def strata_of(census: Census, low_X: Grades) -> Strata:
    """Entries and changes by stratum and cell: all that a magnitude and a grade tell.

    Args:
        census: of W0 graded by the principal scores.
        low_X: the grade of each magnitude among the low scores.
    """
    stratum_X = stratum_of(np.arange(MAGNITUDES, dtype=np.uint16))
    place_X = stratum_X * np.uint16(GRADES) + low_X
    starts = np.flatnonzero(np.diff(place_X, prepend=STRATA * GRADES))
    strata, low = stratum_X[starts], low_X[starts]

    def by_cell(counts_GX: Counts) -> Counts:
        """Sum over the magnitudes of one stratum and one low grade, which are neighbours."""
        table_SGL = np.zeros((STRATA, GRADES, GRADES), np.int64)
        table_SGL[strata, :, low] = np.add.reduceat(counts_GX, starts, axis=1).T
        return table_SGL.reshape(STRATA, CELLS)

    return Strata(by_cell(census.entries_GX), by_cell(census.changed_GX))


def stratum_of(bits: Bits) -> NDArray[np.uint16]:
    """Stratum of each bit pattern: 2 exponent + (mantissa is zero); the sign does not matter."""
    without_mantissa = (bits & np.uint16(0x7FFF)) >> np.uint16(MANTISSA)
    return without_mantissa * np.uint16(2) + ((bits & np.uint16(0x7F)) == 0)


def compare(strata: Strata, weight_C: Reals) -> Comparison:
    """Hold the overlap with one mask against its strata.

    For a stratum of n entries, m of them changed, x the sum of their memberships: expectation
    m x / n, variance m (n - m) / (n - 1) times the variance of the memberships. With memberships
    of 0 and 1 this is the hypergeometric variance; entries tied at a mask's edge have fractions.
    """
    present_S = strata.entries_SC.any(axis=1)
    entries_SC, changed_SC = strata.entries_SC[present_S], strata.changed_SC[present_S]
    n, m = entries_SC.sum(axis=1), changed_SC.sum(axis=1)
    x, inside = entries_SC @ weight_C, changed_SC @ weight_C
    tells_S = (m > 0) & (m < n) & _differing(entries_SC, weight_C)
    expected_S = m * x / n
    z, odds_ratio = None, None
    if tells_S.any():
        spread = _spread(entries_SC[tells_S], weight_C)
        n, m, x, inside = (counts[tells_S] for counts in (n, m, x, inside))
        deviation = float((m * (n - m) / (n - 1) * spread).sum()) ** 0.5
        z = float((inside - m * x / n).sum()) / deviation
        odds_ratio = _odds_ratio(n, m, x, inside)
    return Comparison(float(expected_S.sum()) / int(changed_SC.sum()), z, odds_ratio)


def _differing(entries_SC: Counts, weight_C: Reals) -> NDArray[np.bool_]:
    """Strata whose entries are not all in the mask to the same degree."""
    smallest = np.where(entries_SC > 0, weight_C, np.inf).min(axis=1)
    return np.where(entries_SC > 0, weight_C, -np.inf).max(axis=1) > smallest


def _spread(entries_SC: Counts, weight_C: Reals) -> Reals:
    """Variance of the memberships within each stratum."""
    share_SC = entries_SC / entries_SC.sum(axis=1, keepdims=True)
    centred_SC = weight_C - (share_SC @ weight_C)[:, None]
    return (share_SC * centred_SC**2).sum(axis=1)


def _odds_ratio(n: Counts, m: Counts, x: Reals, inside: Reals) -> float | None:
    """Mantel-Haenszel: sum of (changed inside)(kept outside) / n over the crossed products."""
    agreeing = float((inside * (n - m - x + inside) / n).sum())
    crossing = float(((m - inside) * (x - inside) / n).sum())
    return agreeing / crossing if crossing > 0 else None
