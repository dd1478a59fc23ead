"""What may be said of a difference between arms, and the constants that decide it."""

from dataclasses import dataclass
from typing import Literal

from hodograph.statistics.paired import Interval

Standing = Literal["beyond", "explained", "unresolved"]
Word = Literal[
    "geometry",
    "explained by displacement",
    "explained by storage",
    "within seed noise",
    "undetermined",
]


@dataclass(frozen=True)
class Thresholds:
    """The constants of every verdict on an ordering; all are printed with it.

    Attributes:
        level: of the intervals over seeds.
        remainder: share of a difference that must remain for something to be left to explain.
    """

    level: float = 0.95
    remainder: float = 0.1


THRESHOLDS = Thresholds()


def explained_share(remainder: float | None, difference: float) -> float | None:
    """Share of a difference that went away: 1 - remainder / difference.

    Above 1 where the remainder has the other sign; None where there is no difference or remainder.
    """
    return None if remainder is None or difference == 0 else 1 - remainder / difference


def share_of_null(null: float | None, value: float | None) -> float | None:
    """Share of one run's value that an update of its size and no structure gives: null / value.

    Above 1 where the value lies below its null; None where one of the two is missing or zero.
    """
    return None if null is None or not value else null / value


def beyond_seeds(difference: Interval) -> bool | None:
    """Whether the interval over seeds leaves out zero; None where there is no interval."""
    if difference.low is None or difference.high is None:
        return None
    return difference.low > 0 or difference.high < 0


def standing(
    remainder: Interval | None, difference: Interval, thresholds: Thresholds = THRESHOLDS
) -> Standing:
    """Say what is left of a difference once an explanation has been allowed for.

    Oriented so that the difference is positive:

    - beyond: the remainder's interval lies above zero, and its mean is at least the threshold's
      share of the difference;
    - unresolved: not beyond, and the interval also holds the whole difference, so that it may
      still all be there; or there is no interval;
    - explained: neither. The remainder is nothing, little, or of the other sign.

    Args:
        remainder: the same paired differences after allowing for the explanation.
        difference: as measured.
        thresholds: the constants.
    """
    if remainder is None:
        return "unresolved"
    left = remainder if difference.mean >= 0 else -remainder
    whole = abs(difference.mean)
    if left.low is None or left.high is None:
        return "unresolved"
    if left.low > 0 and left.mean >= thresholds.remainder * whole:
        return "beyond"
    return "unresolved" if left.high >= whole else "explained"


def last_word(
    difference: Interval, displacement: Standing, storage: Standing, why_open: str
) -> tuple[Word, str]:
    """The verdict on one difference, and why where it is undetermined.

    Asked in this order: more than seeds differ by? still there at equal displacement? still there
    against storage? What passes all three is a matter of geometry, of how the update lies.

    Args:
        difference: over the seeds two arms share.
        displacement: what is left at equal relative norm.
        storage: what is left beyond what storage alone gives.
        why_open: the reason, where one of the two is unresolved.
    """
    beyond = beyond_seeds(difference)
    if beyond is None:
        return "undetermined", "one shared seed"
    if not beyond:
        return "within seed noise", ""
    if displacement == "explained":
        return "explained by displacement", ""
    if storage == "explained":
        return "explained by storage", ""
    if "unresolved" in (displacement, storage):
        return "undetermined", why_open
    return "geometry", ""
