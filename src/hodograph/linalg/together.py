"""Matrices factored together, where a device takes a batch faster than one by one.

Those of one shorter side are decomposed at once. LAPACK takes matrices one after another, so on the
CPU nothing is gathered.

M rows, N columns, R shorter side.
"""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from hodograph.linalg import gram
from hodograph.linalg.eigen import Eigen
from hodograph.linalg.eigh import device_eigens
from hodograph.linalg.factors import Factors

Fast = tuple[Float[Tensor, "M N"], int]  # a matrix, and leading vectors wanted of it
Values = tuple[Float[Tensor, " R"], Float[Tensor, " R"]]  # singular values, and their errors


def by_gram_together(wanted: Sequence[Fast]) -> list[Factors | None]:
    """`by_gram` of each matrix; all are on one device."""
    if not _batched([matrix_MN for matrix_MN, _ in wanted]):
        return [gram.by_gram(*one) for one in wanted]
    shorts = [gram.short_side(matrix_MN) for matrix_MN, _ in wanted]
    eigens = _eigens(shorts, [vectors for _, vectors in wanted])
    return [
        None if found is None else gram.from_eigen(matrix_MN, short_RL, found, gram.EIGH.method)
        for (matrix_MN, _), short_RL, found in zip(wanted, shorts, eigens, strict=True)
    ]


def singular_values_together(matrices: Sequence[Float[Tensor, "M N"]]) -> list[Values | None]:
    """`singular_values` of each matrix; all are on one device."""
    if not _batched(matrices):
        return [gram.singular_values(matrix_MN) for matrix_MN in matrices]
    shorts = [gram.short_side(matrix_MN) for matrix_MN in matrices]
    eigens = _eigens(shorts, [0] * len(shorts))
    return [None if found is None else found.sigma() for found in eigens]


def _batched(matrices: Sequence[Tensor]) -> bool:
    return len(matrices) > 1 and gram.way_for(matrices[0].device) is gram.EIGH


def _eigens(shorts: Sequence[Float[Tensor, "R L"]], ks: Sequence[int]) -> list[Eigen | None]:
    """Eigenvalues and vectors of each; None where there is one row, or no convergence."""
    groups: dict[int, list[int]] = {}
    for index, short_RL in enumerate(shorts):
        groups.setdefault(len(short_RL), []).append(index)
    found: dict[int, Eigen | None] = dict.fromkeys(groups.pop(1, []))
    for size, members in groups.items():
        alike = [shorts[index] for index in members]
        eigens = device_eigens(alike, [min(ks[index], size) for index in members])
        found |= zip(members, eigens, strict=True)
    return [found[index] for index in range(len(shorts))]
