"""Loops over bit patterns, compiled: every weight is read once, and no array lies in between.

Kept code does not notice a change in another file, so all loops and what they share are here.
Counts are added to what the arrays given hold, so that weights can be counted in pieces.

E entries, G grades, X magnitudes as in `bits`, C cells of the masks.
"""

import numpy as np
from numba import boolean, float32, int32, int64, njit, uint8, uint16, uint32, uint64
from numba.core.types import Array, Tuple
from numpy.typing import NDArray

from hodograph.matrices.compiled import compiled

MAGNITUDE, INFINITY = np.uint16(0x7FFF), np.uint16(0x7F80)
WIDE_MAGNITUDE, WIDE_INFINITY = np.uint32(0x7FFFFFFF), np.uint32(0x7F800000)
ROUNDS_TO_INFINITY = np.uint32(0x7F7F8000)  # the smallest magnitude in float32 that does
NAN = np.uint32(0x7FC0)
BLOCK, LINE = 4096, 64  # entries worked on together: in the nearest cache, in a few registers
NOWHERE = np.uint8(255)  # the cell of an entry that is not counted

BITS = Array(uint16, 1, "C", readonly=True)
WIDE_BITS = Array(uint32, 1, "C", readonly=True)
REALS = Array(float32, 1, "C", readonly=True)
KEYS = Array(int32, 1, "C", readonly=True)
GRADES = Array(uint8, 1, "A", readonly=True)  # one grade for all entries is an array that repeats
BYTES = Array(uint8, 1, "C", readonly=True)
WORDS = Array(uint64, 1, "C", readonly=True)
COUNTS, TABLE = int64[::1], int64[:, ::1]


@njit
def _differ(x: np.unsignedinteger, y: np.unsignedinteger) -> bool:
    """Whether two bfloat16 patterns are different numbers; the two zeros are one."""
    return (x != y) & (((x | y) & 0x7FFF) != 0)


@njit
def _rounded(pattern: np.uint32) -> np.uint32:
    """The bfloat16 pattern of a float32 pattern, rounded to nearest even as torch does."""
    if pattern & WIDE_MAGNITUDE > WIDE_INFINITY:
        return NAN
    odd = (pattern >> np.uint32(16)) & np.uint32(1)
    return np.uint32(pattern + np.uint32(0x7FFF) + odd) >> np.uint32(16)


@compiled(Tuple((int64, boolean))(BITS, BITS))
def count_changes(before_E: NDArray[np.uint16], after_E: NDArray[np.uint16]) -> tuple[int, bool]:
    """Entries whose bfloat16 value changed, and whether all are finite."""
    changed, largest = 0, np.uint16(0)
    for i in range(len(before_E)):
        x, y = before_E[i], after_E[i]
        changed += _differ(x, y)
        largest = max(largest, np.uint16(x & MAGNITUDE), np.uint16(y & MAGNITUDE))
    return changed, bool(largest < INFINITY)


@compiled(Tuple((int64, boolean))(WIDE_BITS, WIDE_BITS))
def count_wide_changes(
    before_E: NDArray[np.uint32], after_E: NDArray[np.uint32]
) -> tuple[int, bool]:
    """The same of float32 patterns, rounded to bfloat16."""
    changed, largest = 0, np.uint32(0)
    for i in range(len(before_E)):
        x, y = before_E[i], after_E[i]
        changed += _differ(_rounded(x), _rounded(y))
        largest = max(largest, np.uint32(x & WIDE_MAGNITUDE), np.uint32(y & WIDE_MAGNITUDE))
    return changed, bool(largest < ROUNDS_TO_INFINITY)


@compiled((BITS, BITS, boolean[::1]))
def mark_changes(
    before_E: NDArray[np.uint16], after_E: NDArray[np.uint16], changed_E: NDArray[np.bool_]
) -> None:
    """Mark the entries whose bfloat16 value changed."""
    for i in range(len(before_E)):
        changed_E[i] = _differ(before_E[i], after_E[i])


@compiled((BITS, GRADES, TABLE))
def count_magnitudes(
    bits_E: NDArray[np.uint16], grade_E: NDArray[np.uint8], entries_GX: NDArray[np.int64]
) -> None:
    """Count entries by grade and magnitude."""
    for i in range(len(bits_E)):
        entries_GX[grade_E[i], bits_E[i] & MAGNITUDE] += 1


@compiled(Tuple((int64, boolean))(BITS, BITS, GRADES, TABLE, COUNTS))
def count_moves(
    before_E: NDArray[np.uint16],
    after_E: NDArray[np.uint16],
    grade_E: NDArray[np.uint8],
    changed_GX: NDArray[np.int64],
    moves: NDArray[np.int64],
) -> tuple[int, bool]:
    """Count the entries that changed by grade and magnitude, and by ULPs moved, the last for more.

    Patterns of one sign are as far apart as the integers. Across zero the magnitudes add up.

    Returns:
        How many changed sign, and whether all patterns that replace another one are finite.
    """
    flips, largest, farthest = 0, 0, len(moves) - 1
    for i in range(len(before_E)):
        x, y = int64(before_E[i]), int64(after_E[i])
        if x != y:
            old, new = x & 0x7FFF, y & 0x7FFF
            largest = max(largest, new)
            if old | new:
                changed_GX[grade_E[i], old] += 1
                across = (x ^ y) & 0x8000
                flips += across != 0 and old != 0 and new != 0
                moves[min(old + new if across else abs(old - new), farthest)] += 1
    return flips, bool(largest < INFINITY)


@compiled((KEYS, uint32, COUNTS))
def count_upper(key_E: NDArray[np.int32], half: int, counts: NDArray[np.int64]) -> None:
    """Count keys, none below 0, by their bits from `half` on."""
    for i in range(len(key_E)):
        counts[uint32(key_E[i]) >> half] += 1


@compiled((KEYS, uint32, int32, COUNTS))
def count_lower(key_E: NDArray[np.int32], half: int, upper: int, counts: NDArray[np.int64]) -> None:
    """Count the keys with these upper bits by their lower ones; most lines hold none of them."""
    for start in range(0, len(key_E), LINE):
        line, found = key_E[start : start + LINE], False
        for i in range(len(line)):
            found |= (line[i] >> half) == upper
        if found:
            for i in range(len(line)):
                if (line[i] >> half) == upper:
                    counts[uint32(line[i]) & ((uint32(1) << half) - uint32(1))] += 1


@compiled((KEYS, KEYS, uint8[::1]))
def grade_keys(
    key_E: NDArray[np.int32], bounds: NDArray[np.int32], grade_E: NDArray[np.uint8]
) -> None:
    """Grade every key by how many of the bounds lie below it."""
    for start in range(0, len(key_E), BLOCK):
        key, grade = key_E[start : start + BLOCK], grade_E[start : start + BLOCK]
        for i in range(len(key)):
            grade[i] = 0
        for bound in bounds:
            for i in range(len(key)):
                grade[i] += np.uint8(key[i] > bound)


@compiled((BYTES, BYTES, BITS, uint8, uint8[::1]))
def mark_cells(
    grade_E: NDArray[np.uint8],
    low_X: NDArray[np.uint8],
    bits_E: NDArray[np.uint16],
    grades: int,
    cell_E: NDArray[np.uint8],
) -> None:
    """Join the grade of every entry and that of its magnitude in one number."""
    for i in range(len(bits_E)):
        cell_E[i] = grade_E[i] * grades + low_X[bits_E[i] & MAGNITUDE]


@compiled((int32[::1], WORDS, int64))
def shuffle(order_E: NDArray[np.int32], words: NDArray[np.uint64], start: int) -> None:
    """Exchange the entries from `start` on, one after another, with one at or after them."""
    for k in range(len(words)):
        here = start + k
        there = here + int64(words[k] % uint64(len(order_E) - here))
        order_E[here], order_E[there] = order_E[there], order_E[here]


@compiled((int32[::1], WORDS, int64))
def shuffle_back(order_E: NDArray[np.int32], words: NDArray[np.uint64], start: int) -> None:
    """The same with one at or before them."""
    for k in range(len(words)):
        here = start + k
        there = int64(words[k] % uint64(here + 1))
        order_E[here], order_E[there] = order_E[there], order_E[here]


@compiled((KEYS, REALS, REALS, BYTES, float32[::1], float32[::1], uint8[::1]))
def gather(
    order_E: NDArray[np.int32],
    base_E: NDArray[np.float32],
    tuned_E: NDArray[np.float32],
    cell_E: NDArray[np.uint8],
    base: NDArray[np.float32],
    step: NDArray[np.float32],
    cell: NDArray[np.uint8],
) -> None:
    """Lay W0, D and the cells out in an order."""
    for i in range(len(order_E)):
        j = order_E[i]
        base[i], step[i], cell[i] = base_E[j], tuned_E[j] - base_E[j], cell_E[j]


@compiled((REALS, REALS, BYTES, COUNTS))
def count_steps(
    base_E: NDArray[np.float32],
    step_E: NDArray[np.float32],
    cell_E: NDArray[np.uint8],
    counts_C: NDArray[np.int64],
) -> None:
    """Count by cell the entries that change visibly when `step_E` is added in float32.

    The cells of a block are written first, in steps of many entries, and then counted four apart,
    so that no count waits for the one before it.
    """
    sums, cells = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.uint8)
    sum_bits, counts = sums.view(np.uint32), np.zeros((4, 256), np.int64)
    for start in range(0, len(base_E), BLOCK):
        base, step = base_E[start : start + BLOCK], step_E[start : start + BLOCK]
        cell, bits = cell_E[start : start + BLOCK], base.view(np.uint32)
        for i in range(len(base)):
            sums[i] = base[i] + step[i]
        for i in range(len(base)):
            changed = _differ(_rounded(bits[i]), _rounded(sum_bits[i]))
            cells[i] = cell[i] if changed else NOWHERE
        for i in range(len(base), BLOCK):
            cells[i] = NOWHERE
        for i in range(0, BLOCK, 4):
            for apart in range(4):
                counts[apart, cells[i + apart]] += 1
    for c in range(len(counts_C)):
        counts_C[c] += counts[0, c] + counts[1, c] + counts[2, c] + counts[3, c]
