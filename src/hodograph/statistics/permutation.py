"""Paired sign-flip permutation over layers, and control of false discoveries.

L layers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

EXACT_LAYERS = 12  # up to here all 2^L sign patterns are tried


@dataclass(frozen=True)
class SignFlip:
    """Result of a paired sign-flip test.

    Attributes:
        mean: mean difference.
        p: two-sided p-value; None without two layers, or where every difference is zero.
        layers: L, the pairs there were.
        exact: whether every sign pattern was tried.
    """

    mean: float
    p: float | None
    layers: int
    exact: bool

    @property
    def least_p(self) -> float:
        """The smallest p-value that so many layers can give."""
        return 2.0 ** (1 - self.layers) if self.exact else 2 / (1 + 2**EXACT_LAYERS)


def sign_flip(differences_L: ArrayLike, seed: int) -> SignFlip:
    """Test whether paired differences are centred on zero, one difference a layer.

    Under the null the two runs could be exchanged within any layer, which flips that difference's
    sign. Up to 12 layers all 2^L patterns are tried; beyond, 2^12 drawn ones, with one added to
    the count and to the draws (Phipson & Smyth, 2010).

    Args:
        differences_L: one difference a layer, finite.
        seed: of the drawn patterns.
    """
    values = np.asarray(differences_L, np.float64)
    exact = len(values) <= EXACT_LAYERS
    mean = float(values.mean()) if len(values) else 0.0
    if len(values) < 2 or not values.any():
        return SignFlip(mean, None, len(values), exact)
    from scipy.stats import permutation_test  # heavy, and a page of one run tests nothing

    tested = permutation_test(
        (values / np.abs(values).max(),),
        lambda sample, axis: sample.mean(axis=axis),
        permutation_type="samples",
        n_resamples=2**EXACT_LAYERS,
        rng=np.random.default_rng(seed),
    )
    return SignFlip(mean, float(tested.pvalue), len(values), exact)


def adjusted(p_values: Sequence[float | None]) -> list[float | None]:
    """Benjamini-Hochberg adjusted p-values of one family; None stays None and is no member.

    Calling those at most q discoveries keeps the expected share of false ones at most q, for
    independent or positively dependent tests (Benjamini & Hochberg, 1995; Benjamini & Yekutieli,
    2001).
    """
    known = sorted((p, index) for index, p in enumerate(p_values) if p is not None)
    result: list[float | None] = [None] * len(p_values)
    least = 1.0
    for rank in range(len(known), 0, -1):
        p, index = known[rank - 1]
        least = min(least, float(p) * (len(known) / rank))
        result[index] = least
    return result
