"""The one place where a matrix is factored; diagnostics ask for factors and never for a method."""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from hodograph.linalg.certificates import reference_would_help
from hodograph.linalg.factors import Factors
from hodograph.linalg.gram import by_gram, sharpened
from hodograph.linalg.low_rank import factor_product
from hodograph.linalg.reference import by_svd
from hodograph.linalg.together import by_gram_together


@dataclass(frozen=True)
class Wanted:
    """A matrix that is to be factored; the attributes are the arguments of `factor`."""

    matrix_MN: Float[Tensor, "M N"]
    vectors: int
    sizes: Sequence[int] = ()
    exact: bool = False


def factor(
    matrix_MN: Float[Tensor, "M N"],
    vectors: int,
    *,
    sizes: Sequence[int] = (),
    exact: bool = False,
) -> Factors:
    """Factor a matrix fast, and by the reference where the fast way cannot vouch for its vectors.

    Args:
        matrix_MN: the matrix, finite.
        vectors: how many leading singular vectors are wanted on each side; fewer come back where
            the matrix has fewer.
        sizes: dimensions of the leading subspaces that are used, none above `vectors`; all the
            vectors together where not given.
        exact: always use the reference, a full SVD.

    Raises:
        FactoringError: the reference did not converge.
    """
    found = None if exact else by_gram(matrix_MN, vectors)
    return _vouched(Wanted(matrix_MN, vectors, sizes), found)


def factor_many(wanted: Sequence[Wanted]) -> list[Factors]:
    """Factor matrices as `factor` does each; on a device, those of one shape in one batch.

    Every matrix is judged and falls back by itself. The device's memory is that of all together.

    Raises:
        FactoringError: as `factor`.
    """
    fast = [one for one in wanted if not one.exact]
    found = iter(by_gram_together([(one.matrix_MN, one.vectors) for one in fast]))
    return [_vouched(one, None if one.exact else next(found)) for one in wanted]


def _vouched(wanted: Wanted, found: Factors | None) -> Factors:
    """What the fast way found, or the reference where it cannot vouch for its vectors."""
    matrix_MN, vectors = wanted.matrix_MN, wanted.vectors
    shorter = min(matrix_MN.shape)
    if found is None or found.kept < min(vectors, shorter):
        return by_svd(matrix_MN, vectors)
    used = {min(size, shorter) for size in wanted.sizes or (vectors,)}
    if any(reference_would_help(found, size) for size in used):
        found = sharpened(matrix_MN, found)
    if any(reference_would_help(found, size) for size in used):
        return by_svd(matrix_MN, vectors)
    return found


def factor_change(
    matrix_MN: Float[Tensor, "M N"],
    product: tuple[Tensor, Tensor] | None,
    vectors: int,
    *,
    exact: bool = False,
) -> Factors:
    """Factor a change: through its thin factors where they are known, as a matrix else.

    Args:
        matrix_MN: the change, finite.
        product: (left, right) with left @ right the change, or None.
        vectors: as in `factor`.
        exact: as in `factor`; thin factors are exact without it.
    """
    if product is None:
        return factor(matrix_MN, vectors, exact=exact)
    return factor_product(*product, vectors)
