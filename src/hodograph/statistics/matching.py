"""Two trajectories compared where they have moved equally far.

A metric of an update is also a function of how large the update is. Along a trajectory that
function can be read off: at each checkpoint its relative norm and its value. Two runs are then
compared at one norm, the smaller of their last ones, by interpolation and never beyond what was
measured.

T checkpoints.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Curve:
    """A metric of one run against its relative norm, in the order of steps.

    Attributes:
        norms_T: relative norm of each checkpoint.
        values_T: the metric there.
    """

    norms_T: Sequence[float]
    values_T: Sequence[float]

    def first_reached(self) -> tuple[np.ndarray, np.ndarray]:
        """The checkpoints that went farther than all before, with a positive norm and a value."""
        norms_T, values_T = np.asarray(self.norms_T, float), np.asarray(self.values_T, float)
        known_T = (norms_T > 0) & np.isfinite(values_T)
        norms_T, values_T = norms_T[known_T], values_T[known_T]
        before_T = np.maximum.accumulate(np.concatenate([[0.0], norms_T]))[:-1]
        return norms_T[norms_T > before_T], values_T[norms_T > before_T]


@dataclass(frozen=True)
class Matched:
    """Two runs at one relative norm.

    Attributes:
        norm: that norm, the smaller of the largest the two runs reached.
        difference: second run less first.
        doubt: how much the difference depends on how it was interpolated.
    """

    norm: float
    difference: float
    doubt: float


def matched(first: Curve, second: Curve) -> Matched | None:
    """Difference of a metric, second less first, at equal relative norm.

    Between checkpoints the metric is interpolated in the logarithm of the norm by a monotone cubic
    (Fritsch & Carlson, 1980); `doubt` is how far a straight line would have come out elsewhere.

    Returns:
        The difference, or None where the two ranges of norms do not overlap.
    """
    curves = (first.first_reached(), second.first_reached())
    if any(len(norms_T) == 0 for norms_T, _ in curves):
        return None
    norm = min(float(norms_T[-1]) for norms_T, _ in curves)
    if any(norms_T[0] > norm for norms_T, _ in curves):
        return None
    (low, low_line), (high, high_line) = (_read(*curve, norm) for curve in curves)
    return Matched(norm, high - low, abs((high - low) - (high_line - low_line)))


def _read(norms_T: np.ndarray, values_T: np.ndarray, norm: float) -> tuple[float, float]:
    """Value at a norm within the range, by the monotone cubic and by a straight line."""
    logs_T, log = np.log(norms_T), np.log(norm)
    line = float(np.interp(log, logs_T, values_T))
    if norm in norms_T or len(norms_T) < 2:
        return line, line
    from scipy.interpolate import PchipInterpolator  # heavy, and a single run is matched with none

    return float(PchipInterpolator(logs_T, values_T)(log)), line
