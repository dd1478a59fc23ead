"""Numbers of a ledger in words."""

from hodograph.orderings.metrics import Ordered
from hodograph.orderings.words import bounds_of, written
from hodograph.statistics.paired import Interval

SHARE = Ordered("", "", "size", 100, " %", " %")
POINTS = Ordered("", "", "size", 100, " %", " points")


def value(number: float, metric: Ordered) -> str:
    """A value with its unit."""
    return f"{written(number, metric.scale)}{metric.unit}"


def bounds(found: Interval, metric: Ordered) -> str:
    """The ends of an interval with the unit of a difference, or that one seed gives none."""
    ends = bounds_of(found, metric)
    return "none (one seed)" if ends is None else f"{ends}{metric.points}"
