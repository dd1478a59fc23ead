"""Checks of a claim, and how several make one verdict."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from hodograph.claims.row import Number
from hodograph.statistics.paired import Interval, t_interval
from hodograph.statistics.verdict import THRESHOLDS

Word = Literal["holds", "does not hold", "undetermined"]
Cause = Literal["displacement", "storage", "shared history", "inputs"]
CAUSES: tuple[Cause, ...] = ("displacement", "storage", "shared history", "inputs")
INFINITE = float("inf")
ONE_SEED = "one seed"
NOISE = "within seed noise"
HALFWAY = "whether the inputs explain it: the interval reaches across the threshold"


@dataclass(frozen=True)
class Check:
    """One comparison of a claim.

    Attributes:
        what: is tested, in words.
        word: what came out.
        why: the reason, where it is undetermined.
        causes: what accounts for it, where it holds.
        unresolved: why it is open whether something accounts for it, where it holds.
    """

    what: str
    word: Word
    why: str = ""
    causes: tuple[Cause, ...] = ()
    unresolved: str = ""

    @property
    def verdict(self) -> str:
        """The verdict on this check alone."""
        return verdict([self])

    @property
    def sentence(self) -> str:
        """What was tested and what came out."""
        return f"{self.what}: {self.verdict}"


@dataclass(frozen=True)
class Finding:
    """What one part of a claim came to.

    Attributes:
        checks: all must hold.
        ours: our value, in words.
        interval: its interval over seeds, in words.
        null: what stands beside it, in words.
        numbers: what was tested.
        nulls: what stands beside it.
        seeds: it rests on.
        notes: what a reader must know beside the checks.
    """

    checks: tuple[Check, ...]
    ours: str = ""
    interval: str = ""
    null: str = ""
    numbers: tuple[Number, ...] = ()
    nulls: tuple[Number, ...] = ()
    seeds: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()


def over_seeds(values: Sequence[float]) -> Interval:
    """Mean over seeds with its 95 % interval."""
    return t_interval(values, THRESHOLDS.level)


def number(what: str, found: Interval) -> Number:
    """An interval with its name, for the ledger."""
    return Number(what=what, mean=found.mean, low=found.low, high=found.high, n=found.n)


def placed(found: Interval, low: float, high: float) -> tuple[Word, str]:
    """Whether an interval lies within [low, high], outside, or reaches across an end.

    Returns:
        The word, and why where it is undetermined.
    """
    if found.low is None or found.high is None:
        return "undetermined", ONE_SEED
    if low <= found.low and found.high <= high:
        return "holds", ""
    if found.high < low or found.low > high:
        return "does not hold", ""
    return "undetermined", "the interval reaches across the threshold"


def cause_of(checks: Sequence[Check]) -> Cause | None:
    """What accounts for checks that hold.

    A cause that accounts for all of them comes before one that accounts for some; among such, the
    order is that of CAUSES. A claim one part of which is accounted for is no claim of geometry.
    """
    everywhere = [cause for cause in CAUSES if all(cause in check.causes for check in checks)]
    somewhere = [cause for cause in CAUSES if any(cause in check.causes for check in checks)]
    return next(iter([*everywhere, *somewhere]), None)


def verdict(checks: Sequence[Check]) -> str:
    """One verdict of several checks, all of which must hold."""
    if any(check.word == "does not hold" for check in checks):
        return "does not hold"
    if open_ := [check.why for check in checks if check.word == "undetermined"]:
        return f"undetermined ({_joined(open_)})"
    if checks and (cause := cause_of(checks)) is not None:
        return f"holds, explained by {cause}"
    if unresolved := [check.unresolved for check in checks if check.unresolved]:
        return f"undetermined ({_joined(unresolved)})"
    return "holds"


def reason(checks: Sequence[Check]) -> str:
    """Every check with its verdict, those that decide first."""
    order = {"does not hold": 0, "undetermined": 1, "holds": 2}
    return "; ".join(
        check.sentence for check in sorted(checks, key=lambda check: order[check.word])
    )


def _joined(reasons: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(reasons))
