"""Arms in an order by a metric: every adjacent pair beyond seeds, displacement and storage."""

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat

from hodograph.claims.evidence import Evidence, shared
from hodograph.claims.finding import NOISE, ONE_SEED, Cause, Check, Finding, number
from hodograph.claims.metrics import METRICS, MetricName
from hodograph.claims.part import Part
from hodograph.claims.steps import Step
from hodograph.claims.text import bounds, value
from hodograph.claims.values import beside, mean, seen_by_seed
from hodograph.orderings.metrics import Ordered
from hodograph.orderings.pair import Pair, pair_of


class Ordering(Part):
    """`arms` ascend in `metric`.

    Attributes:
        arms: in the order expected, ascending.
        metric: a column.
        step: checkpoint at which they are compared; the last unless stated.
        least: share of the pair's mean below which a difference is none.
        control: an arm that learns nothing, shown beside.
    """

    type: Literal["ordering"] = "ordering"
    arms: Annotated[tuple[str, ...], Field(min_length=2)]
    metric: MetricName
    step: Step = "last"
    least: NonNegativeFloat = 0.1
    control: str | None = None

    @property
    def arms_named(self) -> tuple[str, ...]:
        """The arms in order, then the control."""
        return (*self.arms, *([self.control] if self.control else []))

    @property
    def words(self) -> str:
        """The order of the arms."""
        return f"{METRICS[self.metric].title}: {' < '.join(self.arms)}"

    def examine(self, evidence: Evidence) -> Finding:
        """Judge every adjacent pair on the seeds it shares."""
        metric = METRICS[self.metric]
        found = {arm: seen_by_seed(evidence, arm, metric, self.step) for arm in self.arms}
        seeds = shared(*found.values())
        pairs = [
            pair
            for low, high in pairwise(self.arms)
            if (pair := pair_of(metric, (low, found[low]), (high, found[high])))
        ]
        null, nulls = beside(evidence.only(seeds), self.arms, metric, self.step, self.control)
        means = {arm: mean({seed: one[seed].value for seed in seeds}) for arm, one in found.items()}
        return Finding(
            checks=tuple(self._check(metric, pair, means) for pair in pairs),
            ours=", ".join(f"{arm} {value(one, metric)}" for arm, one in means.items()),
            interval=", ".join(
                f"{pair.higher} − {pair.lower} {bounds(pair.difference, metric)}" for pair in pairs
            ),
            null=null,
            numbers=tuple(
                number(f"{pair.higher} - {pair.lower}", pair.difference) for pair in pairs
            ),
            nulls=nulls,
            seeds=tuple(seeds),
            notes=tuple(_notes(evidence, pairs)),
        )

    def _check(self, metric: Ordered, pair: Pair, means: dict[str, float]) -> Check:
        what = f"{pair.lower} < {pair.higher}"
        low, high = pair.difference.low, pair.difference.high
        if low is None or high is None:
            return Check(what, "undetermined", ONE_SEED)
        if low > 0:
            causes = _causes(metric, pair)
            return Check(what, "holds", causes=causes, unresolved="" if causes else _open(pair))
        middle = (abs(means[pair.lower]) + abs(means[pair.higher])) / 2
        if high < 0 or high < self.least * middle:
            return Check(what, "does not hold")
        return Check(what, "undetermined", NOISE)


def _causes(metric: Ordered, pair: Pair) -> tuple[Cause, ...]:
    """Which explanations leave nothing of a difference; the norm is no explanation of itself."""
    causes: list[Cause] = []
    if metric.kind != "size" and pair.displacement.standing == "explained":
        causes.append("displacement")
    if pair.storage.standing == "explained":
        causes.append("storage")
    return tuple(causes)


def _open(pair: Pair) -> str:
    return pair.why if pair.word == "undetermined" else ""


def _notes(evidence: Evidence, pairs: list[Pair]) -> list[str]:
    return [
        f"{pair.lower} and {pair.higher} start from different W0"
        for pair in pairs
        if not evidence.one_origin(pair.lower, pair.higher)
    ]
