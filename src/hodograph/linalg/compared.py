"""Two matrices factored so that the shift between their spectra can be believed."""

from jaxtyping import Float
from torch import Tensor

from hodograph.linalg.certificates import SHIFT_TARGET, shift_error
from hodograph.linalg.factor import Wanted, factor, factor_many
from hodograph.linalg.factors import Factors


def compared(
    base: Factors,
    base_MN: Float[Tensor, "M N"],
    tuned_MN: Float[Tensor, "M N"],
    k: int,
    *,
    exact: bool = False,
) -> tuple[Factors, Factors]:
    """Factors of W0 and W1, both by the reference where the shift between them needs it.

    A small shift between two spectra is a difference of nearly equal numbers; where the fast
    way's bounds do not vouch for it, both matrices are factored by a full SVD.

    Args:
        base: W0's factors at hand.
        base_MN: W0.
        tuned_MN: W1.
        k: leading vectors of W1 that are wanted.
        exact: always use the reference.
    """
    (tuned,) = factor_many([tuned_wanted(base, tuned_MN, k, exact=exact)])
    return believed(base, base_MN, tuned, tuned_MN, k)


def tuned_wanted(
    base: Factors, tuned_MN: Float[Tensor, "M N"], k: int, *, exact: bool = False
) -> Wanted:
    """How W1 is to be factored: where W0 needed the reference, so does what it is held against."""
    return Wanted(tuned_MN, k, exact=exact or base.method == "svd")


def believed(
    base: Factors,
    base_MN: Float[Tensor, "M N"],
    tuned: Factors,
    tuned_MN: Float[Tensor, "M N"],
    k: int,
) -> tuple[Factors, Factors]:
    """The same factors, or both of the reference, as `compared`; W1's are at hand already."""
    error = shift_error(base, tuned)
    if base.method == tuned.method != "svd" and (error is None or error <= SHIFT_TARGET):
        return base, tuned
    if base.method != "svd":
        base = factor(base_MN, base.kept, exact=True)
    if tuned.method != "svd":
        tuned = factor(tuned_MN, k, exact=True)
    return base, tuned
