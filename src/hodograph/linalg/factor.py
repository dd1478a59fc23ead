"""The one place where a matrix is factored; diagnostics ask for factors and never for a method."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from hodograph.linalg.certificates import reference_would_help
from hodograph.linalg.factors import Factors
from hodograph.linalg.gram import by_gram, sharpened
from hodograph.linalg.low_rank import factor_product
from hodograph.linalg.reference import by_svd


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
    shorter = min(matrix_MN.shape)
    if found is None or found.kept < min(vectors, shorter):
        return by_svd(matrix_MN, vectors)
    used = {min(size, shorter) for size in sizes or (vectors,)}
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
