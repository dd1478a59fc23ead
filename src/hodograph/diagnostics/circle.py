"""An update turned against W0: its entries moved within the matrix, their sizes kept.

The entries are put on a circle in a random order, and every draw turns D against W0 by a random
distance: the draws are elements of a random cyclic group (docs/design/nulls.md).

E = M N entries, C cells of the masks.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hodograph.diagnostics.strata import CELLS
from hodograph.matrices import kernels
from hodograph.matrices.bits import Counts, Grades, aligned, pieces
from hodograph.matrices.update import Update

FEW = (2**32 - 1) // 20  # from here on the remainder of 32 random bits is not even enough


def turned(update: Update, cell_E: Grades, count: int, seed: int) -> Iterator[Counts]:
    """For each draw, how many entries of each cell visibly change where D is turned.

    Args:
        update: in float32.
        cell_E: the cell of each entry, in the order of the matrix.
        count: of draws.
        seed: of the order and the distances.
    """
    generator = np.random.RandomState(seed & 0xFFFFFFFF)
    base_E, tuned_E = (aligned(one.flatten().numpy()) for one in (update.base_MN, update.tuned_MN))
    order_E = random_order(len(base_E), generator)
    base, step, cell = np.empty_like(base_E), np.empty_like(base_E), np.empty_like(cell_E)
    kernels.gather(order_E, base_E, tuned_E, cell_E, base, step, cell)
    for turn in _words(generator, count) % np.uint64(len(base)):
        changed_C, split = np.zeros(CELLS, np.int64), int(turn)
        kernels.count_steps(base[split:], step[: len(step) - split], cell[split:], changed_C)
        kernels.count_steps(base[:split], step[len(step) - split :], cell[:split], changed_C)
        yield changed_C


def random_order(entries: int, generator: np.random.RandomState) -> NDArray[np.int32]:
    """A random permutation: that of torch.randperm on the CPU, from the same Mersenne Twister."""
    order_E = np.arange(entries, dtype=np.int32)
    if entries < FEW:
        for piece in pieces(entries - 1):
            words = _words(generator, len(order_E[:-1][piece]))
            kernels.shuffle(order_E, words, piece.start)
    else:
        for piece in pieces(entries):
            words = _long_words(generator, len(order_E[piece]))
            kernels.shuffle_back(order_E, words, piece.start)
    return order_E


def _words(generator: np.random.RandomState, count: int) -> NDArray[np.uint64]:
    """Random words of 32 bits."""
    return generator.randint(1 << 32, size=count, dtype=np.uint32).astype(np.uint64)


def _long_words(generator: np.random.RandomState, count: int) -> NDArray[np.uint64]:
    """Random words of 64 bits."""
    halves = _words(generator, 2 * count)
    return (halves[::2] << np.uint64(32)) | halves[1::2]
