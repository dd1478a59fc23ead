"""Arms that agree with a reference in a metric, where other objectives do not."""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat

from hodograph.claims.distances import Paths, apart, between_seeds
from hodograph.claims.evidence import AbsentError, Evidence, shared
from hodograph.claims.finding import Cause, Check, Finding, number, over_seeds, placed
from hodograph.claims.metrics import METRICS, MetricName
from hodograph.claims.part import Part
from hodograph.claims.text import SHARE, bounds, value
from hodograph.claims.values import paths, seen_by_seed
from hodograph.orderings.metrics import Seen
from hodograph.statistics.matching import matched
from hodograph.statistics.paired import Interval

NO_CONTRAST = "no other objective lies farther away: the test cannot tell"


class Agreement(Part):
    """`arms` lie within a share of `reference`; of `against`, at least one lies outside.

    Attributes:
        arms: that are to agree.
        reference: with this one.
        against: other objectives; if all of them agree too, agreement says nothing.
        metric: a column.
        along: compare the whole path instead of its last step.
        within: distance, as a share of the reference's value, that counts as agreement.
    """

    type: Literal["agreement"] = "agreement"
    arms: Annotated[tuple[str, ...], Field(min_length=1)]
    reference: str
    against: Annotated[tuple[str, ...], Field(min_length=1)]
    metric: MetricName
    along: bool = False
    within: PositiveFloat = 0.1

    @property
    def arms_named(self) -> tuple[str, ...]:
        """The arms, the reference, and what they are held against."""
        return (*self.arms, self.reference, *self.against)

    @property
    def words(self) -> str:
        """Who agrees with whom."""
        where = "path of the " if self.along else ""
        whose = f"{', '.join(self.arms)} as {self.reference}"
        return f"{where}{METRICS[self.metric].title}: {whose}, within {100 * self.within:g} %"

    def examine(self, evidence: Evidence) -> Finding:
        """Hold every arm against the reference, paired by seed, then the other objectives."""
        own = self._paths(evidence, self.reference)
        far = {arm: apart(self._paths(evidence, arm), own) for arm in self.arms}
        others = self._others(evidence, own)
        contrast = any(placed(one, 0, self.within)[0] == "does not hold" for one in others.values())
        causes = self._causes(evidence, others) if contrast else ()
        checks = tuple(self._check(arm, one, contrast, causes) for arm, one in far.items())
        nulls = tuple(number(f"{arm} to {self.reference}", one) for arm, one in others.items())
        if (seeds := between_seeds(own)) is not None:
            nulls = (number(f"between seeds of {self.reference}", seeds), *nulls)
        return Finding(
            checks=checks,
            ours=", ".join(f"{arm} {value(one.mean, SHARE)} away" for arm, one in far.items()),
            interval=", ".join(f"{arm} {bounds(one, SHARE)}" for arm, one in far.items()),
            null=", ".join(f"{one.what} {value(one.mean, SHARE)}" for one in nulls),
            numbers=tuple(number(f"{arm} to {self.reference}", one) for arm, one in far.items()),
            nulls=nulls,
            seeds=tuple(shared(own, *(self._paths(evidence, arm) for arm in self.arms))),
            notes=tuple(f"{arm} is missing" for arm in self.against if arm not in others),
        )

    def _paths(self, evidence: Evidence, arm: str) -> Paths:
        """The path of each seed, or its last value alone."""
        found = paths(evidence, arm, METRICS[self.metric])
        if self.along:
            return found
        return {seed: path.iloc[-1:].set_axis([0]) for seed, path in found.items()}

    def _others(self, evidence: Evidence, own: Paths) -> dict[str, Interval]:
        found: dict[str, Interval] = {}
        absent = AbsentError("")
        for arm in self.against:
            try:
                found[arm] = apart(self._paths(evidence, arm), own)
            except AbsentError as missing:
                absent = missing
        if not found:
            raise absent
        return found

    def _check(self, arm: str, far: Interval, contrast: bool, causes: tuple[Cause, ...]) -> Check:
        word, why = placed(far, 0, self.within)
        if word == "holds" and not contrast:
            word, why, causes = "undetermined", NO_CONTRAST, ()
        return Check(f"{arm} as {self.reference}", word, why, causes if word == "holds" else ())

    def _causes(self, evidence: Evidence, others: dict[str, Interval]) -> tuple[Cause, ...]:
        """Displacement, where at equal norm every other objective agrees with the reference too."""
        metric = METRICS[self.metric]
        if self.along or metric.kind == "size":
            return ()
        own = seen_by_seed(evidence, self.reference, metric, "last")
        known = [
            placed(one, 0, self.within)[0] == "holds"
            for arm in others
            if (one := self._at_equal_norm(own, seen_by_seed(evidence, arm, metric, "last")))
        ]
        return ("displacement",) if known and all(known) else ()

    def _at_equal_norm(self, own: dict[int, Seen], other: dict[int, Seen]) -> Interval | None:
        """Distance at equal relative norm over seeds; None where norms do not overlap."""
        seeds = sorted({*own} & {*other})
        found = [(matched(own[seed].curve, other[seed].curve), own[seed].value) for seed in seeds]
        shares = [abs(one.difference / whole) for one, whole in found if one is not None]
        return over_seeds(shares) if len(shares) == len(seeds) else None
