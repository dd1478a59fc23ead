"""One arm's value over another's, within bounds."""

from math import exp, log
from typing import Literal

from pydantic import NonNegativeFloat, PositiveFloat, model_validator

from hodograph.claims.evidence import AbsentError, Evidence, shared
from hodograph.claims.finding import INFINITE, Check, Finding, number, over_seeds, placed
from hodograph.claims.metrics import METRICS, MetricName
from hodograph.claims.part import Part
from hodograph.claims.steps import Step
from hodograph.claims.values import at_step
from hodograph.orderings.words import written
from hodograph.statistics.paired import Interval


class Ratio(Part):
    """`metric` of `arm` over that of `over` lies within [`least`, `most`].

    Attributes:
        arm: of the numerator.
        over: of the denominator.
        metric: a column.
        step: checkpoint at which they are compared; the last unless stated.
        least: lower bound of the ratio.
        most: its upper bound; none unless stated.
        control: an arm that learns nothing; its ratio over `over` is shown beside.
    """

    type: Literal["ratio"] = "ratio"
    arm: str
    over: str
    metric: MetricName
    step: Step = "last"
    least: NonNegativeFloat = 0.0
    most: PositiveFloat | None = None
    control: str | None = None

    @model_validator(mode="after")
    def _some_bound(self) -> "Ratio":
        if not self.least and self.most is None:
            raise ValueError("a ratio needs least, most or both")
        if self.most is not None and self.most < self.least:
            raise ValueError(f"least = {self.least} is above most = {self.most}")
        return self

    @property
    def arms_named(self) -> tuple[str, ...]:
        """Both arms, then the control."""
        return (self.arm, self.over, *([self.control] if self.control else []))

    @property
    def words(self) -> str:
        """The ratio and its bounds."""
        ends = f"at least {self.least:g}" if self.least else ""
        if self.most is not None:
            ends = f"{self.least:g} to {self.most:g}" if self.least else f"at most {self.most:g}"
        return f"{METRICS[self.metric].title}: {self.arm} / {self.over} {ends}"

    def examine(self, evidence: Evidence) -> Finding:
        """Judge the logarithm of the ratio, paired by seed."""
        found = self._ratio(evidence, self.arm)
        low = log(self.least) if self.least else -INFINITE
        high = INFINITE if self.most is None else log(self.most)
        word, why = placed(found, low, high)
        what = f"log({self.arm} / {self.over})"
        beside = self._beside(evidence)
        nulls = (number(f"log({self.control} / {self.over})", beside),) if beside else ()
        return Finding(
            checks=(Check(self.words, word, why),),
            ours=f"{self.arm} / {self.over} {written(exp(found.mean), 1)}",
            interval=_bounds(found),
            null=f"{self.control} / {self.over} {written(exp(beside.mean), 1)}"
            if beside
            else "1 (no difference)",
            numbers=(number(what, found),),
            nulls=nulls,
            seeds=tuple(shared(*(evidence.tables(arm) for arm in (self.arm, self.over)))),
            notes=()
            if evidence.one_origin(self.arm, self.over)
            else (f"{self.arm} and {self.over} start from different W0",),
        )

    def _beside(self, evidence: Evidence) -> Interval | None:
        try:
            return self._ratio(evidence, self.control) if self.control else None
        except AbsentError:
            return None

    def _ratio(self, evidence: Evidence, arm: str) -> Interval:
        metric = METRICS[self.metric]
        over = at_step(evidence, self.over, metric, self.step)
        above = at_step(evidence, arm, metric, self.step)
        seeds = shared(above, over)
        if any(min(above[seed], over[seed]) <= 0 for seed in seeds):
            raise AbsentError(f"{self.metric} is not above zero, so it has no ratio")
        return over_seeds([log(above[seed] / over[seed]) for seed in seeds])


def _bounds(found: Interval) -> str:
    if found.low is None or found.high is None:
        return "none (one seed)"
    return f"{written(exp(found.low), 1)} to {written(exp(found.high), 1)}"
