"""A ratio of sums over clusters of dependent observations, with its standard error.

C clusters.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A value with what sampling leaves open.

    Attributes:
        value: the estimate.
        se: its standard error.
        low: lower end of the 95 % interval.
        high: upper end.
    """

    value: float
    se: float
    low: float
    high: float


def ratio_of_sums(values_C: Reals, weights_C: Reals) -> Estimate:
    """Sum of values over sum of weights; clusters are the independent unit (Cochran, 1977, 6.4).

    The standard error is that of the linearised ratio, sqrt(C / (C - 1) sum (v - r w)²) / sum w.
    With values and numbers of tokens of each prompt it is the mean over tokens.

    Args:
        values_C: of at least two clusters.
        weights_C: none below zero, their sum above.
    """
    clusters, weight = len(values_C), float(weights_C.sum())
    value = float(values_C.sum()) / weight
    left_C = values_C - value * weights_C
    se = float(np.sqrt(clusters / (clusters - 1) * np.square(left_C).sum())) / weight
    half = float(stdtrit(clusters - 1, 0.975)) * se
    return Estimate(value, se, value - half, value + half)
