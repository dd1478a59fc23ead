"""A path that leaves a reference's as the reference's share of the objective falls."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, model_validator

from hodograph.claims.distances import apart, between_seeds, distances
from hodograph.claims.evidence import Evidence, shared
from hodograph.claims.finding import INFINITE, Check, Finding, number, over_seeds, placed
from hodograph.claims.metrics import METRICS, MetricName
from hodograph.claims.part import Part
from hodograph.claims.text import SHARE, bounds, value
from hodograph.claims.values import paths
from hodograph.orderings.words import written
from hodograph.statistics.paired import Interval

Share = Annotated[float, Field(ge=0, lt=1)]


class Departure(Part):
    """Arms stay near `reference` down to a share, depart at and below it, and ever farther.

    Attributes:
        reference: the arm whose path it is, share 1.
        shares: of the reference's objective in each arm's.
        metric: a column, compared along the path.
        within: distance, as a share of the reference's value, that counts as staying.
        small: share at and below which arms must have departed.
    """

    type: Literal["departure"] = "departure"
    reference: str
    shares: Annotated[dict[str, Share], Field(min_length=3)]
    metric: MetricName
    within: PositiveFloat = 0.1
    small: NonNegativeFloat = 0.05

    @model_validator(mode="after")
    def _on_both_sides(self) -> "Departure":
        below = [share <= self.small for share in self.shares.values()]
        if all(below) or not any(below):
            raise ValueError(f"shares on both sides of small = {self.small} are needed")
        return self

    @property
    def arms_named(self) -> tuple[str, ...]:
        """The reference, then the arms."""
        return (self.reference, *self.shares)

    @property
    def words(self) -> str:
        """Who departs from whom."""
        return (
            f"path of the {METRICS[self.metric].title}: leaves {self.reference}'s by more than "
            f"{100 * self.within:g} % at shares of {self.small:g} and below, not above"
        )

    def examine(self, evidence: Evidence) -> Finding:
        """Judge each arm's distance, and whether distances grow as shares fall."""
        metric = METRICS[self.metric]
        own = paths(evidence, self.reference, metric)
        found = {arm: paths(evidence, arm, metric) for arm in self._falling}
        far = {arm: apart(one, own) for arm, one in found.items()}
        seeds = shared(own, *found.values())
        tau = over_seeds([self._tau([distances({0: found[arm][s]}, {0: own[s]})[0]
                                     for arm in self._falling]) for s in seeds])  # fmt: skip
        spread = between_seeds(own)
        return Finding(
            checks=(*(self._check(arm, one) for arm, one in far.items()), _monotone(tau)),
            ours=", ".join(f"{arm} {value(one.mean, SHARE)} away" for arm, one in far.items()),
            interval=", ".join(f"{arm} {bounds(one, SHARE)}" for arm, one in far.items()),
            null=f"between seeds of {self.reference} {value(spread.mean, SHARE)}"
            if spread
            else "none: one seed",
            numbers=(
                *(number(f"{arm} to {self.reference}", one) for arm, one in far.items()),
                number("Kendall's tau of distance and falling share", tau),
            ),
            nulls=(number(f"between seeds of {self.reference}", spread),) if spread else (),
            seeds=tuple(seeds),
        )

    @property
    def _falling(self) -> list[str]:
        return sorted(self.shares, key=lambda arm: -self.shares[arm])

    def _check(self, arm: str, far: Interval) -> Check:
        share = self.shares[arm]
        if share > self.small:
            word, why = placed(far, 0, self.within)
            return Check(f"{arm} (share {share:g}) stays", word, why)
        word, why = placed(far, self.within, INFINITE)
        return Check(f"{arm} (share {share:g}) departs", word, why)

    def _tau(self, far: list[float]) -> float:
        from scipy.stats import kendalltau  # heavy, and few studies claim this

        shares = [-self.shares[arm] for arm in self._falling]
        found = float(kendalltau(shares, far).statistic)
        return 0.0 if found != found else found  # all distances equal


def _monotone(tau: Interval) -> Check:
    """Distances grow as shares fall: Kendall's tau above zero beyond seeds."""
    word, why = placed(tau, 1e-12, 1)
    what = f"farther as shares fall (Kendall's tau {written(tau.mean, 1)})"
    return Check(what, word, why)
