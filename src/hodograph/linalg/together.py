"""Matrices of one shape factored together, where a device takes a batch faster than one by one.

M rows, N columns.
"""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from hodograph.linalg import gram
from hodograph.linalg.eigh import device_eigens
from hodograph.linalg.factors import Factors

Fast = tuple[Float[Tensor, "M N"], int]  # a matrix, and leading vectors wanted of it


def by_gram_together(wanted: Sequence[Fast]) -> list[Factors | None]:
    """`by_gram` of each matrix; on a device, eigenvalues of all with one pair of sides at once.

    LAPACK takes matrices one after another, so on the CPU nothing is gathered.
    """
    groups: dict[tuple[int, ...], list[int]] = {}
    for index, (matrix_MN, _) in enumerate(wanted):
        groups.setdefault(tuple(sorted(matrix_MN.shape)), []).append(index)
    found: dict[int, Factors | None] = {}
    for (shorter, _), members in groups.items():
        alike = [wanted[index] for index in members]
        batched = len(alike) > 1 < shorter and gram.way_for(alike[0][0].device) is gram.EIGH
        each = _batch(alike) if batched else [gram.by_gram(*one) for one in alike]
        found |= zip(members, each, strict=True)
    return [found[index] for index in range(len(wanted))]


def _batch(wanted: Sequence[Fast]) -> list[Factors | None]:
    shorts = [gram.short_side(matrix_MN) for matrix_MN, _ in wanted]
    eigens = device_eigens(shorts, [min(k, len(shorts[0])) for _, k in wanted])
    return [
        None if found is None else gram.from_eigen(matrix_MN, short_RL, found, gram.EIGH.method)
        for (matrix_MN, _), short_RL, found in zip(wanted, shorts, eigens, strict=True)
    ]
