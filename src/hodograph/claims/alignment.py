"""One arm's leading directions lie near its final ones from the start, before other arms' do."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat

from hodograph.claims.evidence import AbsentError, Evidence, shared
from hodograph.claims.finding import (
    HALFWAY,
    INFINITE,
    NOISE,
    ONE_SEED,
    Cause,
    Check,
    Finding,
    Word,
    number,
    over_seeds,
    placed,
)
from hodograph.claims.metrics import BY_INPUTS, CHANCE, DISJOINT, SIM
from hodograph.claims.part import Part
from hodograph.claims.steps import Step
from hodograph.claims.text import SHARE, bounds, value
from hodograph.claims.values import at_step, mean
from hodograph.orderings.metrics import Ordered
from hodograph.statistics.paired import Interval
from hodograph.statistics.verdict import Standing, standing

Share = Annotated[float, Field(gt=0, le=1)]
Values = Mapping[int, float]
UNKNOWN = "whether the inputs explain it was not examined"


@dataclass(frozen=True)
class Sim:
    """Sim_16 of one arm at one step, by seed.

    Attributes:
        end: to the end, the paper's form.
        rest: to the rest of the way, which has no step in common with the early update.
        inputs: of two random updates with the same layer inputs; empty where not examined.
    """

    end: Values
    rest: Values
    inputs: Values


class Alignment(Part):
    """Sim_16 to the end of `arm` is at least `aligned` at `step`, and above that of `later`.

    Attributes:
        arm: said to align early.
        later: arms said to align later.
        step: the checkpoint looked at.
        aligned: Sim_16 that counts as aligned.
        least: difference of Sim_16 below which there is none.
        inputs: share of the arm's Sim_16 that random updates with the same inputs must reach to
            explain it.
        control: an arm that learns nothing; where it reaches that share too, what the arm shows is
            no sign of its objective.
    """

    type: Literal["alignment"] = "alignment"
    arm: str
    later: Annotated[tuple[str, ...], Field(min_length=1)]
    step: Step = "first"
    aligned: Share = 0.5
    least: NonNegativeFloat = 0.05
    inputs: Share = 0.8
    control: str | None = None

    @property
    def arms_named(self) -> tuple[str, ...]:
        """The arm, those said to come later, and the control."""
        return (self.arm, *self.later, *([self.control] if self.control else []))

    @property
    def words(self) -> str:
        """Who aligns before whom."""
        at = f"step {self.step}" if isinstance(self.step, int) else f"the {self.step} checkpoint"
        return (
            f"{SIM.title} at {at}: {self.arm} at least {100 * self.aligned:g} %, "
            f"and above {', '.join(self.later)}"
        )

    def examine(self, evidence: Evidence) -> Finding:
        """Judge the arm alone, then against each of the others, paired by seed."""
        seeds = shared(*(at_step(evidence, arm, SIM, self.step) for arm in (self.arm, *self.later)))
        evidence = evidence.only(seeds)
        own = self._sim(evidence, self.arm)
        others = {arm: self._sim(evidence, arm) for arm in self.later}
        tested = {self.arm: over_seeds(list(own.end.values()))} | {
            f"{self.arm} − {arm}": _difference(own.end, other.end) for arm, other in others.items()
        }
        nulls = self._beside(evidence, own)
        early = self._early(own, nulls.get(self.control or ""))
        return Finding(
            checks=(early, *(self._before(own, arm, other) for arm, other in others.items())),
            ours=", ".join(
                f"{arm} {value(mean(one.end), SIM)}"
                for arm, one in {self.arm: own, **others}.items()
            ),
            interval=", ".join(f"{what} {bounds(one, SHARE)}" for what, one in tested.items()),
            null=", ".join(f"{what} {value(mean(one), SIM)}" for what, one in nulls.items()),
            numbers=tuple(number(what, one) for what, one in tested.items()),
            nulls=tuple(number(what, over_seeds([*one.values()])) for what, one in nulls.items()),
            seeds=tuple(seeds),
            notes=(f"{self.control} is missing",)
            if self.control and self.control not in nulls
            else (),
        )

    def _sim(self, evidence: Evidence, arm: str) -> Sim:
        return Sim(
            end=at_step(evidence, arm, SIM, self.step),
            rest=self._known(evidence, arm, DISJOINT),
            inputs=self._known(evidence, arm, BY_INPUTS),
        )

    def _known(self, evidence: Evidence, arm: str, metric: Ordered) -> Values:
        try:
            return at_step(evidence, arm, metric, self.step)
        except AbsentError:
            return {}

    def _beside(self, evidence: Evidence, own: Sim) -> dict[str, Values]:
        """What stands beside the arm's Sim_16, by name."""
        found = {
            "chance": self._known(evidence, self.arm, CHANCE),
            "to the rest of the way": own.rest,
            "random updates, same inputs": own.inputs,
        }
        if self.control is not None:
            found[self.control] = self._known(evidence, self.control, SIM)
        return {what: values for what, values in found.items() if values}

    def _early(self, own: Sim, control: Values | None) -> Check:
        """Whether the arm is aligned, and what of it the disjoint form and the inputs leave."""
        what = f"{self.arm} aligned at the {self.step} checkpoint"
        word, why = self._level(own.end)
        if word != "holds":
            return Check(what, word, why)
        again, open_ = self._level(own.rest) if own.rest else ("undetermined", "no disjoint form")
        if again != "holds":
            causes: tuple[Cause, ...] = ("shared history",) if again == "does not hold" else ()
            return Check(what, word, causes=causes, unresolved=open_)
        reached, open_ = self._reached(own.inputs, own.end)
        if reached:
            return Check(what, word, causes=("inputs",))
        if control and self._reached(control, own.end)[0]:
            open_ = open_ or f"{self.control} aligns as early"
        return Check(what, word, unresolved=open_)

    def _level(self, values: Values) -> tuple[Word, str]:
        return placed(over_seeds(list(values.values())), self.aligned, INFINITE)

    def _reached(self, values: Values, own: Values) -> tuple[bool, str]:
        """Whether values reach the share of the arm's own, and why where that is open."""
        seeds = sorted({*values} & {*own})
        if not seeds:
            return False, UNKNOWN
        ratios = over_seeds([values[seed] / own[seed] for seed in seeds])
        word, _ = placed(ratios, self.inputs, INFINITE)
        return word == "holds", HALFWAY if word == "undetermined" else ""

    def _before(self, own: Sim, arm: str, other: Sim) -> Check:
        """Whether the arm is ahead of another, there and in the disjoint form, beyond inputs."""
        what = f"{self.arm} before {arm}"
        ahead = _difference(own.end, other.end)
        word, why = self._ahead(ahead)
        if word != "holds":
            return Check(what, word, why)
        if not own.rest or not other.rest:
            return Check(what, word, unresolved="no disjoint form")
        again, open_ = self._ahead(_difference(own.rest, other.rest))
        if again != "holds":
            causes: tuple[Cause, ...] = ("shared history",) if again == "does not hold" else ()
            return Check(what, word, causes=causes, unresolved=open_)
        left = self._beyond_inputs(own, other, ahead)
        if left == "explained":
            return Check(what, word, causes=("inputs",))
        return Check(what, word, unresolved=UNKNOWN if left == "unresolved" else "")

    def _ahead(self, found: Interval) -> tuple[Word, str]:
        if found.low is None or found.high is None:
            return "undetermined", ONE_SEED
        if found.low > 0:
            return "holds", ""
        if found.high < self.least:
            return "does not hold", ""
        return "undetermined", NOISE

    def _beyond_inputs(self, own: Sim, other: Sim, ahead: Interval) -> Standing:
        seeds = sorted({*own.inputs} & {*other.inputs} & {*own.end} & {*other.end})
        if not seeds:
            return "unresolved"
        left = [(own.end[s] - own.inputs[s]) - (other.end[s] - other.inputs[s]) for s in seeds]
        return standing(over_seeds(left), ahead)


def _difference(first: Values, second: Values) -> Interval:
    return over_seeds([first[seed] - second[seed] for seed in shared(first, second)])
