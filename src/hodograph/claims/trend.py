"""Where a metric goes along a trajectory: up, down or nowhere, and whether storage makes it so."""

from math import exp, log
from typing import Annotated, Literal

from pydantic import Field, PositiveFloat

from hodograph.claims.evidence import AbsentError, Evidence, shared
from hodograph.claims.finding import INFINITE, Check, Finding, Word, number, over_seeds, placed
from hodograph.claims.metrics import METRICS, MetricName
from hodograph.claims.part import Part
from hodograph.claims.text import SHARE, value
from hodograph.claims.values import paths
from hodograph.orderings.metrics import stored
from hodograph.statistics.paired import Interval

Direction = Literal["up", "flat", "down"]
NARROW = "bfloat16"


class Trend(Part):
    """From the first checkpoint to the last, `metric` of each arm goes where it says.

    The change is log(last / first). It is up above the band, down below it, flat within; the three
    exclude each other. It is judged as stored and as bfloat16 shows it: what holds in bfloat16
    alone is explained by storage.

    Attributes:
        arms: and their directions.
        metric: a column.
        band: relative change, up or down, up to which a path is flat.
        control: an arm that learns nothing, shown beside.
    """

    type: Literal["trend"] = "trend"
    arms: Annotated[dict[str, Direction], Field(min_length=1)]
    metric: MetricName
    band: PositiveFloat = 0.1
    control: str | None = None

    @property
    def arms_named(self) -> tuple[str, ...]:
        """The arms, then the control."""
        return (*self.arms, *([self.control] if self.control else []))

    @property
    def words(self) -> str:
        """Who goes where."""
        ways = ", ".join(f"{arm} {way}" for arm, way in self.arms.items())
        return f"{METRICS[self.metric].title} along the path: {ways}"

    def examine(self, evidence: Evidence) -> Finding:
        """Judge each arm in each storage."""
        changes = {arm: self._changes(evidence, arm) for arm in self.arms}
        beside = self._beside(evidence)
        return Finding(
            checks=tuple(self._check(arm, one) for arm, one in changes.items()),
            ours="; ".join(f"{arm} {_written(one)}" for arm, one in changes.items()),
            interval="; ".join(f"{arm} {_bounds(one)}" for arm, one in changes.items()),
            null=f"{self.control} {_written(beside)}"
            if beside
            else "none: no control was measured",
            numbers=tuple(
                number(f"log(last / first), {arm}, {storage}", found)
                for arm, one in changes.items()
                for storage, found in one.items()
            ),
            nulls=tuple(
                number(f"log(last / first), {self.control}, {storage}", found)
                for storage, found in beside.items()
            ),
            seeds=tuple(shared(*(evidence.tables(arm) for arm in self.arms))),
            notes=tuple(note for arm, one in changes.items() if (note := self._note(arm, one))),
        )

    def _beside(self, evidence: Evidence) -> dict[str, Interval]:
        try:
            return self._changes(evidence, self.control) if self.control else {}
        except AbsentError:
            return {}

    def _changes(self, evidence: Evidence, arm: str) -> dict[str, Interval]:
        """The change over seeds as stored, then as bfloat16 shows it where that is narrower."""
        tables = evidence.tables(arm)
        own = stored(next(iter(tables.values())))
        found = {own: self._change(evidence, arm, own)}
        if own != NARROW and all((table["storage"] == NARROW).any() for table in tables.values()):
            found[NARROW] = self._change(evidence, arm, NARROW)
        return found

    def _change(self, evidence: Evidence, arm: str, storage: str) -> Interval:
        found = paths(evidence, arm, METRICS[self.metric], storage=storage)
        if any(len(path) < 2 for path in found.values()):
            raise AbsentError(f"{arm} has one checkpoint: a path needs two")
        if any(min(path.iloc[0], path.iloc[-1]) <= 0 for path in found.values()):
            raise AbsentError(f"{arm}: {self.metric} is not above zero, so it has no ratio")
        return over_seeds([log(path.iloc[-1] / path.iloc[0]) for path in found.values()])

    def _check(self, arm: str, changes: dict[str, Interval]) -> Check:
        way = self.arms[arm]
        (_, own), *narrower = changes.items()
        word, why = self._placed(own, way)
        shown = self._placed(narrower[0][1], way)[0] if narrower else None
        what = f"{arm} {way}"
        if NARROW in changes and not narrower:
            rounded = "the weights are stored in 16 bits, so rounding is part of the value"
            return Check(what, word, why, unresolved=rounded if word == "holds" else "")
        if shown == "holds" and word == "does not hold":
            return Check(what, "holds", causes=("storage",))
        return Check(what, word, why)

    def _note(self, arm: str, changes: dict[str, Interval]) -> str:
        """What bfloat16 shows, where it is something else than what is stored."""
        words = [self._placed(one, self.arms[arm])[0] for one in changes.values()]
        return (
            f"{arm} {self.arms[arm]} as bfloat16 shows it: {words[-1]}" if len({*words}) > 1 else ""
        )

    def _placed(self, change: Interval, way: Direction) -> tuple[Word, str]:
        band = log(1 + self.band)
        ends = {"up": (band, INFINITE), "flat": (-band, band), "down": (-INFINITE, -band)}
        return placed(change, *ends[way])


def _relative(change: float) -> str:
    return value(exp(change) - 1, SHARE)


def _written(changes: dict[str, Interval]) -> str:
    """The mean change in each storage, `+15.0 % in float32`."""
    return ", ".join(f"{_signed(one.mean)} in {storage}" for storage, one in changes.items())


def _signed(change: float) -> str:
    return f"{'+' if change > 0 else ''}{_relative(change)}"


def _bounds(changes: dict[str, Interval]) -> str:
    return ", ".join(
        "none (one seed)"
        if one.low is None or one.high is None
        else f"{_signed(one.low)} to {_signed(one.high)} in {storage}"
        for storage, one in changes.items()
    )
