"""Counting on bfloat16 bit patterns: one pass over two tensors, in pieces that fit the cache.

A magnitude is a bit pattern without its sign: 0 to 32767, in the order of the numbers.

M rows, N columns, E = M N entries, G grades, X magnitudes.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hodograph.matrices.precision import on_bfloat16_grid

MAGNITUDES = 1 << 15
MANTISSA = 7
INFINITY = 0x7F80
PIECE = 1 << 17
MOST_ULPS = 9  # moves of 9 ULPs and more are counted together
Bits = NDArray[np.uint16]
Grades = NDArray[np.uint8]
Keys = NDArray[np.unsignedinteger]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class CountedBase:
    """W0 and what is counted of it once, however many checkpoints are held against it.

    Attributes:
        weights_MN: W0 as stored.
        bits: its bit patterns, flat.
        on_grid: whether every entry is a bfloat16 number as stored.
        grade_E: a small number an entry, by which entries are counted apart; None for one grade.
        entries_GX: entries by grade and magnitude.
    """

    weights_MN: Tensor
    bits: Bits
    on_grid: bool
    grade_E: Grades | None
    entries_GX: Counts


@dataclass(frozen=True)
class Census:
    """What one pass over two tensors counts.

    Attributes:
        entries_GX: entries of W0 by grade and magnitude.
        changed_GX: those of them whose bfloat16 value changed.
        moves: entries by the ULPs they moved: 0, 1, ..., 8, 9 and more.
        sign_flips: entries that changed from positive to negative or back.
        finite: whether no pattern is NaN or infinity.
    """

    entries_GX: Counts
    changed_GX: Counts
    moves: Counts
    sign_flips: int
    finite: bool

    @property
    def entries_X(self) -> Counts:
        """Entries of W0 by magnitude."""
        return self.entries_GX.sum(axis=0)

    @property
    def changed_X(self) -> Counts:
        """Changed entries by magnitude of W0."""
        return self.changed_GX.sum(axis=0)


def bits_of(weights: Tensor) -> Bits:
    """Bfloat16 bit patterns, flat; no copy where the weights are stored so."""
    rounded = weights.to(torch.bfloat16).contiguous().flatten()
    return rounded.view(torch.int16).numpy().view(np.uint16)


def count_base(weights_MN: Tensor, grade_E: Grades | None = None, grades: int = 1) -> CountedBase:
    """Count W0's entries by grade and magnitude.

    Args:
        weights_MN: W0 as stored.
        grade_E: the grade of each entry, below `grades`; None where they are not told apart.
        grades: how many grades there are.
    """
    bits, entries = bits_of(weights_MN), _Tally(grades * MAGNITUDES)
    for piece in pieces(len(bits)):
        entries.add(_keys(bits[piece], None if grade_E is None else grade_E[piece]))
    on_grid = on_bfloat16_grid(weights_MN)
    return CountedBase(weights_MN, bits, on_grid, grade_E, entries.counts(grades))


def take_census(base: CountedBase, tuned_MN: Tensor) -> Census:
    """Count changes, moves and sign flips; -0 is read as +0."""
    changed = _Tally(base.entries_GX.size)
    moves, flips, largest = np.zeros(MOST_ULPS + 1, np.int64), 0, 0
    for piece, after in zip(pieces(len(base.bits)), _bit_pieces(tuned_MN), strict=True):
        before = base.bits[piece]
        places = np.flatnonzero(_changed(before, after))
        old, new = before.take(places), after.take(places)
        grade = None if base.grade_E is None else base.grade_E[piece].take(places)
        changed.add(_keys(old, grade))
        distance, flipped = _moved(old, new)
        moves += _histogram(distance)
        flips += flipped
        largest = max(largest, int((new & 0x7FFF).max(initial=0)))
    moves[0] = len(base.bits) - moves.sum()
    changed_GX = changed.counts(len(base.entries_GX))
    finite = largest < INFINITY and not base.entries_GX[:, INFINITY:].any()
    return Census(base.entries_GX, changed_GX, moves, flips, finite)


def count_finite_changes(base_MN: Tensor, tuned_MN: Tensor) -> int | None:
    """Number of entries whose bfloat16 value changed; None where a pattern is NaN or infinity."""
    total = 0
    for before, after in zip(_bit_pieces(base_MN), _bit_pieces(tuned_MN), strict=True):
        different = before != after
        either = (before | after) & 0x7FFF  # finite wherever both are; 0 only where both are
        if int(either.max()) >= INFINITY and not (_finite(before) and _finite(after)):
            return None
        if int(either.min()) == 0:
            different &= either != 0
        total += int(np.count_nonzero(different))
    return total


def count_changed(base: Bits, tuned: Bits) -> int:
    """Number of entries whose bfloat16 value changed; -0 is read as +0."""
    return sum(int(np.count_nonzero(_changed(a, b))) for a, b in _pieces(base, tuned))


def changed_bits(base: Bits, tuned: Bits) -> NDArray[np.bool_]:
    """Which entries' bfloat16 value changed; -0 is read as +0.

    The test |a - b| <= eta max(|a|, |b|) gives the same answer on every finite pair for any
    eta below 2^-8, since neighbouring bfloat16 numbers differ by at least that, relatively.
    """
    return np.concatenate([_changed(a, b) for a, b in _pieces(base, tuned)] or [base != tuned])


def pieces(entries: int) -> Iterator[slice]:
    """Slices of a flat array that fit the cache."""
    return (slice(start, start + PIECE) for start in range(0, entries, PIECE))


class _Tally:
    """A histogram that is filled piece by piece.

    Counting touches every bin, so keys wait until there are as many of them as bins.
    """

    def __init__(self, bins: int) -> None:
        self._counts = np.zeros(bins, np.int64)
        self._waiting: list[Keys] = []
        self._size = 0

    def add(self, keys: Keys) -> None:
        """Take keys to be counted, each below the number of bins."""
        self._waiting.append(keys)
        self._size += len(keys)
        if self._size >= len(self._counts):
            self._count()

    def counts(self, grades: int) -> Counts:
        """All that was added, by grade and magnitude."""
        self._count()
        return self._counts.reshape(grades, MAGNITUDES)

    def _count(self) -> None:
        for keys in [np.concatenate(self._waiting)] if self._size else []:
            self._counts += np.bincount(keys, minlength=len(self._counts))
        self._waiting, self._size = [], 0


def _bit_pieces(weights: Tensor) -> Iterator[Bits]:
    """Bit patterns piece by piece: wider weights are rounded within the cache."""
    if weights.dtype == torch.bfloat16:
        bits = bits_of(weights)
        return (bits[piece] for piece in pieces(len(bits)))
    flat = weights.reshape(-1)
    return (bits_of(flat[piece]) for piece in pieces(len(flat)))


def _pieces(base: Bits, tuned: Bits) -> Iterator[tuple[Bits, Bits]]:
    return ((base[piece], tuned[piece]) for piece in pieces(len(base)))


def _keys(bits: Bits, grade: Grades | None) -> Keys:
    """Where entries are counted: their magnitude, after those of all lower grades."""
    magnitude = bits & np.uint16(0x7FFF)
    return magnitude if grade is None else magnitude + grade * np.uint32(MAGNITUDES)


def _changed(before: Bits, after: Bits) -> NDArray[np.bool_]:
    """Different patterns, but for two zeros of different sign."""
    different = before != after
    if len(before) and int((before & 0x7FFF).min()) == 0:
        different &= ((before | after) & 0x7FFF) != 0
    return different


def _finite(bits: Bits) -> bool:
    return int((bits & 0x7FFF).max()) < INFINITY


def _moved(old: Bits, new: Bits) -> tuple[Bits, int]:
    """Distance of changed entries in ULPs, and how many of them changed sign.

    Patterns of one sign are as far apart as the integers. Across zero the magnitudes add up; no sum
    of two finite ones leaves 16 bits.
    """
    distance = np.minimum(new - old, old - new)  # modulo 2^16 one of them is the distance
    across = np.flatnonzero((old ^ new) & 0x8000)
    before, after = (bits.take(across) & 0x7FFF for bits in (old, new))
    distance[across] = before + after
    return distance, int(np.count_nonzero((before != 0) & (after != 0)))


def _histogram(distance: Bits) -> Counts:
    """Changed entries by the ULPs they moved; few go far, so those left are soon none."""
    counts, left = np.zeros(MOST_ULPS + 1, np.int64), len(distance)
    for ulps in range(1, MOST_ULPS):
        if left == 0:
            break
        counts[ulps] = np.count_nonzero(distance == ulps)
        left -= int(counts[ulps])
    counts[MOST_ULPS] = left
    return counts
