"""How far two runs lie apart in a metric, along their paths or at one step."""

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pandas as pd

from hodograph.claims.evidence import AbsentError
from hodograph.claims.finding import over_seeds
from hodograph.statistics.paired import Interval

Paths = Mapping[int, pd.Series]


def distance(path: pd.Series, reference: pd.Series) -> float:
    """Mean |m_t - r_t| over the steps both have, as a share of the mean |r_t| there.

    Raises:
        AbsentError: they share no step, or the reference is zero there.
    """
    steps = path.index.intersection(reference.index)
    if not len(steps):
        raise AbsentError("the arms share no step")
    whole = float(reference[steps].abs().sum())
    if whole == 0:
        raise AbsentError("the reference is zero, so there is no share of it")
    return float((path[steps] - reference[steps]).abs().sum()) / whole


def distances(paths: Paths, reference: Paths) -> list[float]:
    """The same for each seed that both have, ascending."""
    return [distance(paths[s], reference[s]) for s in sorted({*paths} & {*reference})]


def between_seeds(paths: Paths) -> Interval | None:
    """Mean distance between two seeds of one arm, without an interval: pairs share seeds.

    None with one seed.
    """
    pairs = [distance(paths[a], paths[b]) for a, b in combinations(sorted(paths), 2)]
    return Interval(float(np.mean(pairs)), None, None, len(pairs)) if pairs else None


def apart(paths: Paths, reference: Paths) -> Interval:
    """Mean distance over the seeds two arms share, with its interval.

    Raises:
        AbsentError: they share no seed.
    """
    found = distances(paths, reference)
    if not found:
        raise AbsentError("the arms share no seed")
    return over_seeds(found)
