"""Accuracy kept, or lost, when training is confined to a subspace."""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat

from hodograph.claims.evidence import AbsentError, Evidence, shared
from hodograph.claims.finding import INFINITE, Check, Finding, number, over_seeds, placed
from hodograph.claims.part import Part
from hodograph.claims.text import POINTS, bounds, value
from hodograph.claims.values import mean
from hodograph.statistics.paired import Interval


class Retention(Part):
    """`confined` keeps, or loses, the accuracy of `free`: the same arm without the constraint.

    The loss is accuracy of `free` less that of `confined`, paired by seed. Kept: at most `margin`;
    lost: above it. A free run that gained little has little to lose, so below `gain` margins of
    mean gain nothing is decided.

    Attributes:
        free: trained without the constraint.
        confined: trained with it.
        expected: what the claim says.
        margin: loss of accuracy, as a share of all prompts, that is none.
        gain: margins that `free` must gain from its start, in the mean over seeds.
        controls: `free` confined otherwise (random directions, none). "kept" needs one that loses:
            where all keep, the constraint was no test.
    """

    type: Literal["retention"] = "retention"
    free: str
    confined: str
    expected: Literal["kept", "lost"]
    margin: PositiveFloat = 0.02
    gain: PositiveFloat = 5
    controls: Annotated[tuple[str, ...], Field(min_length=1)]

    @property
    def arms_named(self) -> tuple[str, ...]:
        """Both arms, then the controls."""
        return (self.free, self.confined, *self.controls)

    @property
    def words(self) -> str:
        """What is kept or lost."""
        return (
            f"{self.confined} {'keeps' if self.expected == 'kept' else 'loses'} the accuracy of "
            f"{self.free}, margin {100 * self.margin:g} points"
        )

    def examine(self, evidence: Evidence) -> Finding:
        """Judge the loss, and whether the constraint was a test."""
        free, own = evidence.accuracies(self.free), evidence.accuracies(self.confined)
        seeds = shared(free, own)
        loss = self._loss(evidence, self.confined)
        controls = self._controls(evidence)
        gain = self._gain(evidence)
        pair = ((self.free, free), (self.confined, own))
        ends = [f"{arm} {value(mean({s: one[s] for s in seeds}), POINTS)}" for arm, one in pair]
        return Finding(
            checks=(self._check(loss, controls, gain),),
            ours=f"{', '.join(ends)}: loss {_points(loss.mean)}",
            interval=f"loss {bounds(loss, POINTS)}",
            null=", ".join(f"{arm} loses {_points(one.mean)}" for arm, one in controls.items())
            or "none: no control was evaluated",
            numbers=(number(f"{self.free} - {self.confined}", loss),),
            nulls=tuple(number(f"{self.free} - {arm}", one) for arm, one in controls.items()),
            seeds=tuple(seeds),
            notes=tuple(self._notes(controls, gain)),
        )

    def _loss(self, evidence: Evidence, arm: str) -> Interval:
        free, own = evidence.accuracies(self.free), evidence.accuracies(arm)
        return over_seeds([free[seed] - own[seed] for seed in shared(free, own)])

    def _gain(self, evidence: Evidence) -> float | None:
        """Mean accuracy that `free` gained; None where its start was not evaluated."""
        try:
            return mean(evidence.gains(self.free))
        except AbsentError:
            return None

    def _controls(self, evidence: Evidence) -> dict[str, Interval]:
        found = {}
        for arm in self.controls:
            try:
                found[arm] = self._loss(evidence, arm)
            except AbsentError:
                continue
        return found

    def _check(self, loss: Interval, controls: dict[str, Interval], gain: float | None) -> Check:
        least = self.gain * self.margin
        if gain is not None and gain < least:
            why = f"the free run gained too little: {_points(gain)}, {_points(least)} are needed"
            return Check(self.words, "undetermined", why)
        if self.expected == "lost":
            word, why = placed(loss, self.margin, INFINITE)
            return Check(self.words, word, why)
        word, why = placed(loss, -INFINITE, self.margin)
        tested = any(self._lost(one) for one in controls.values())
        if word == "holds" and not tested:
            return Check(
                self.words, "undetermined", "no control loses accuracy: nothing was tested"
            )
        return Check(self.words, word, why)

    def _lost(self, loss: Interval) -> bool:
        return placed(loss, self.margin, INFINITE)[0] == "holds"

    def _notes(self, controls: dict[str, Interval], gain: float | None) -> list[str]:
        """Controls that keep the accuracy as well, and what is missing."""
        kept = [
            arm
            for arm, loss in controls.items()
            if placed(loss, -INFINITE, self.margin)[0] == "holds"
        ]
        absent = [f"{arm} is missing" for arm in self.controls if arm not in controls]
        if gain is None:
            absent.append(f"{self.free} was not evaluated at its start: its gain is untested")
        return [*(f"{arm} keeps it too" for arm in kept), *absent]


def _points(share: float) -> str:
    return f"{value(share, POINTS).removesuffix(POINTS.unit)}{POINTS.points}"
