"""Intervals of a mean over matrices, from a bootstrap over layers.

L layers, B bootstrap draws.
"""

import numpy as np
import pandas as pd
from scipy.special import ndtr, stdtrit

DRAWS = 1000
LEVEL = 0.95


def layer_intervals(
    values: pd.DataFrame,
    weights: pd.DataFrame,
    layers: pd.Series,
    generator: np.random.Generator,
) -> dict[str, dict[str, float]]:
    """95 % interval of the weighted mean of every column, whole layers drawn with replacement.

    The matrices of one layer are not independent, so layers are the unit. The quantiles are
    those of `levels`. Columns without values have no entry; with one layer nothing has.

    Args:
        values: one row a matrix, one column a quantity; NaN where there is none.
        weights: of every value, in the same shape; 0 where there is no value.
        layers: the layer of each row.
        generator: of the draws.
    """
    sums = (values.fillna(0.0) * weights).groupby(layers).sum().to_numpy()
    counts = weights.groupby(layers).sum().to_numpy()
    if len(sums) < 2:
        return {}
    drawn = generator.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=DRAWS)
    total, count = drawn @ sums, drawn @ counts
    means = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    present = counts.sum(axis=0) > 0
    if not present.any():
        return {}
    low, high = np.nanquantile(means[:, present], levels(len(sums)), axis=0)
    bounds = zip(values.columns[present], low, high, strict=True)
    return {name: {"low": float(least), "high": float(most)} for name, least, most in bounds}


def levels(layers: int) -> tuple[float, float]:
    """Bootstrap quantiles that bound a 95 % interval from this many layers (at least 2).

    Phi(∓ t sqrt(L / (L - 1))), t the quantile of Student's distribution with L - 1 degrees of
    freedom: the plain 2.5 and 97.5 % leave out the truth too often where L is small (the expanded
    percentile interval; Hesterberg, 2015).
    """
    wide = stdtrit(layers - 1, 0.5 + LEVEL / 2) * (layers / (layers - 1)) ** 0.5
    return float(ndtr(-wide)), float(ndtr(wide))
