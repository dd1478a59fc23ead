"""Counting on bfloat16 bit patterns: one pass over two tensors, in pieces that fit the cache.

A magnitude is a bit pattern without its sign: 0 to 32767, in the order of the numbers.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

MAGNITUDES = 1 << 15
MANTISSA = 7
INFINITY = 0x7F80
PIECE = 1 << 16
MOST_ULPS = 9  # moves of 9 ULPs and more are counted together
Bits = NDArray[np.uint16]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Census:
    """What one pass over two tensors counts.

    Attributes:
        entries: entries of W0 by magnitude, 32768 bins.
        changed: those of them whose bfloat16 value changed.
        moves: entries by the ULPs they moved: 0, 1, ..., 8, 9 and more.
        sign_flips: entries that changed from positive to negative or back.
    """

    entries: Counts
    changed: Counts
    moves: Counts
    sign_flips: int


def bits_of(weights: Tensor) -> Bits:
    """Bfloat16 bit patterns, flat; no copy where the weights are stored so."""
    rounded = weights.to(torch.bfloat16).contiguous().flatten()
    return rounded.view(torch.int16).numpy().view(np.uint16)


def take_census(base: Bits, tuned: Bits) -> Census:
    """Count entries, changes, moves and sign flips; -0 is read as +0."""
    joint = np.zeros(2 * MAGNITUDES, np.int64)
    moves = np.zeros(MOST_ULPS + 1, np.int64)
    flips = 0
    for before, after in _pieces(base, tuned):
        changed = _changed(before, after)
        magnitude = before & 0x7FFF
        joint += np.bincount(magnitude + (changed * np.uint16(MAGNITUDES)), minlength=len(joint))
        old, new = np.compress(changed, before), np.compress(changed, after)
        distance = np.abs(_ordered(new) - _ordered(old))
        moves += np.bincount(np.minimum(distance, MOST_ULPS), minlength=len(moves))
        crossing = ((old ^ new) & 0x8000 != 0) & (old & 0x7FFF != 0) & (new & 0x7FFF != 0)
        flips += int(np.count_nonzero(crossing))
    unmoved, changed = joint[:MAGNITUDES], joint[MAGNITUDES:]
    moves[0] = unmoved.sum()
    return Census(unmoved + changed, changed, moves, flips)


def all_finite(bits: Bits) -> bool:
    """Whether no pattern is NaN or infinity, by the largest magnitude."""
    return all(int((bits[piece] & 0x7FFF).max()) < INFINITY for piece in pieces(len(bits)))


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


def _pieces(base: Bits, tuned: Bits) -> Iterator[tuple[Bits, Bits]]:
    return ((base[piece], tuned[piece]) for piece in pieces(len(base)))


def _changed(before: Bits, after: Bits) -> NDArray[np.bool_]:
    """Different patterns, but for two zeros of different sign."""
    different = before != after
    if len(before) and int((before & 0x7FFF).min()) == 0:
        different &= ((before | after) & 0x7FFF) != 0
    return different


def _ordered(bits: Bits) -> NDArray[np.int32]:
    """Bit patterns as integers in the order of the numbers."""
    magnitude = (bits & 0x7FFF).astype(np.int32)
    return np.where(bits & 0x8000, -magnitude, magnitude)
