"""The one place where a matrix is factored; diagnostics ask for factors and never for a method."""

from jaxtyping import Float
from torch import Tensor

from hodograph.linalg.certificates import reference_would_help
from hodograph.linalg.factors import Factors
from hodograph.linalg.gram import by_gram
from hodograph.linalg.low_rank import factor_product
from hodograph.linalg.reference import by_svd


def factor(matrix_MN: Float[Tensor, "M N"], vectors: int, *, exact: bool = False) -> Factors:
    """Factor a matrix fast, and by the reference where the fast way cannot vouch for its vectors.

    Args:
        matrix_MN: the matrix, finite.
        vectors: how many leading singular vectors are wanted on each side; fewer come back where
            the matrix has fewer.
        exact: always use the reference, a full SVD.
    """
    found = None if exact else by_gram(matrix_MN, vectors)
    wanted = min(vectors, *matrix_MN.shape)
    if found is None or reference_would_help(found, wanted):
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
