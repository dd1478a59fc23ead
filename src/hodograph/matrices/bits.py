"""Counting on bfloat16 bit patterns: one pass over two tensors; wider ones are rounded in pieces.

A magnitude is a bit pattern without its sign: 0 to 32767, in the order of the numbers.

M rows, N columns, E = M N entries, G grades, X magnitudes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hodograph.matrices import kernels
from hodograph.matrices.precision import on_bfloat16_grid

MAGNITUDES = 1 << 15
MANTISSA = 7
INFINITY = 0x7F80
PIECE = 1 << 17
MOST_ULPS = 9  # moves of 9 ULPs and more are counted together
Bits = NDArray[np.uint16]
Grades = NDArray[np.uint8]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class CountedBase:
    """W0 and what is counted of it once, however many checkpoints are held against it.

    Attributes:
        weights_MN: W0 as stored.
        bits: its bit patterns, flat.
        on_grid: whether every entry is a bfloat16 number as stored.
        grade_E: a small number an entry, by which entries are counted apart.
        entries_GX: entries by grade and magnitude.
    """

    weights_MN: Tensor
    bits: Bits
    on_grid: bool
    grade_E: Grades
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
    """Bfloat16 bit patterns, flat; no copy where the weights are stored so, at a whole address."""
    rounded = weights.to(torch.bfloat16).contiguous().flatten()
    return aligned(rounded.view(torch.int16).numpy().view(np.uint16))


def count_base(weights_MN: Tensor, grade_E: Grades | None = None, grades: int = 1) -> CountedBase:
    """Count W0's entries by grade and magnitude.

    Args:
        weights_MN: W0 as stored.
        grade_E: the grade of each entry, below `grades`; None where they are not told apart.
        grades: how many grades there are.
    """
    bits, entries_GX = bits_of(weights_MN), np.zeros((grades, MAGNITUDES), np.int64)
    if grade_E is None:
        grade_E = np.broadcast_to(np.uint8(0), bits.shape)
    kernels.count_magnitudes(bits, grade_E, entries_GX)
    return CountedBase(weights_MN, bits, on_bfloat16_grid(weights_MN), grade_E, entries_GX)


def take_census(base: CountedBase, tuned_MN: Tensor) -> Census:
    """Count changes, moves and sign flips; -0 is read as +0."""
    changed_GX = np.zeros_like(base.entries_GX)
    moves, flips = np.zeros(MOST_ULPS + 1, np.int64), 0
    finite = not base.entries_GX[:, INFINITY:].any()
    for piece, after in zip(pieces(len(base.bits)), _bit_pieces(tuned_MN), strict=True):
        before, grade_E = base.bits[piece], base.grade_E[piece]
        _require_pairs(before, after)
        flipped, well = kernels.count_moves(before, after, grade_E, changed_GX, moves)
        flips += flipped
        finite &= well
    moves[0] = len(base.bits) - moves.sum()
    return Census(base.entries_GX, changed_GX, moves, flips, finite)


def count_finite_changes(base_MN: Tensor, tuned_MN: Tensor) -> int | None:
    """Number of entries whose bfloat16 value changed; None where a pattern is NaN or infinity."""
    total = 0
    for before, after in _patterns(base_MN, tuned_MN):
        _require_pairs(before, after)
        wide = before.dtype == np.uint32
        count = kernels.count_wide_changes if wide else kernels.count_changes
        changed, finite = count(before, after)
        if not finite:
            return None
        total += changed
    return total


def count_changed(base: Bits, tuned: Bits) -> int:
    """Number of entries whose bfloat16 value changed; -0 is read as +0."""
    _require_pairs(base, tuned)
    return kernels.count_changes(base, tuned)[0]


def changed_bits(base: Bits, tuned: Bits) -> NDArray[np.bool_]:
    """Which entries' bfloat16 value changed; -0 is read as +0.

    The test |a - b| <= eta max(|a|, |b|) gives the same answer on every finite pair for any
    eta below 2^-8, since neighbouring bfloat16 numbers differ by at least that, relatively.
    """
    _require_pairs(base, tuned)
    changed_E = np.empty(base.shape, np.bool_)
    kernels.mark_changes(base, tuned, changed_E)
    return changed_E


def pieces(entries: int) -> Iterator[slice]:
    """Slices of a flat array that fit the cache."""
    return (slice(start, start + PIECE) for start in range(0, entries, PIECE))


def aligned(patterns: NDArray[Any]) -> NDArray[Any]:
    """The same patterns where a processor reads them best; files put tensors at any byte."""
    return np.require(patterns, requirements="A")


def _patterns(base_MN: Tensor, tuned_MN: Tensor) -> Iterable[tuple[NDArray[Any], NDArray[Any]]]:
    """Patterns to be counted as they lie, or in pieces that are rounded within the cache."""
    if base_MN.dtype == tuned_MN.dtype == torch.bfloat16:
        return [(bits_of(base_MN), bits_of(tuned_MN))]
    if base_MN.dtype == tuned_MN.dtype == torch.float32:
        return [(_wide_bits(base_MN), _wide_bits(tuned_MN))]
    return zip(_bit_pieces(base_MN), _bit_pieces(tuned_MN), strict=True)


def _bit_pieces(weights: Tensor) -> Iterator[Bits]:
    """Bit patterns piece by piece: wider weights are rounded within the cache."""
    if weights.dtype == torch.bfloat16:
        bits = bits_of(weights)
        return (bits[piece] for piece in pieces(len(bits)))
    flat = weights.reshape(-1)
    return (bits_of(flat[piece]) for piece in pieces(len(flat)))


def _wide_bits(weights: Tensor) -> NDArray[np.uint32]:
    """Float32 bit patterns, flat."""
    flat = weights.contiguous().flatten()
    return aligned(flat.view(torch.int32).numpy().view(np.uint32))


def _require_pairs(before: NDArray[Any], after: NDArray[Any]) -> None:
    """Compiled loops do not look where an array ends."""
    if len(before) != len(after):
        raise ValueError(f"{len(before)} entries against {len(after)}")
