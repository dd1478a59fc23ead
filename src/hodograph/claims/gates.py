"""The three gates of an arm: bounded, steered off W0's principal directions, seen in bfloat16."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveFloat

from hodograph.claims.evidence import AbsentError, Evidence
from hodograph.claims.finding import (
    HALFWAY,
    INFINITE,
    NOISE,
    ONE_SEED,
    Cause,
    Check,
    Finding,
    number,
    over_seeds,
    placed,
)
from hodograph.claims.part import Part
from hodograph.claims.text import SHARE, bounds, value
from hodograph.statistics.paired import Interval

Runs = Mapping[int, Mapping[str, Any]]
NUMBERS = {
    "norm": "I.relative_norm",
    "bound": "I.bound",
    "energy": "II.principal_energy.per_token",
    "shared": "II.principal_energy.shared",
    "chance": "II.isotropic",
    "inputs": "II.inputs",
    "deviation": "III.deviation",
    "Gaussian": "III.null",
}
"""What is read of `gates.json`, and where under `gates` it stands."""


@dataclass(frozen=True)
class _Test:
    """One condition, on a number of NUMBERS, or on one less another.

    Attributes:
        check: the condition, in words.
        what: the number, in words.
        first: its name.
        less: name of the one that is taken off.
    """

    check: str
    what: str
    first: str
    less: str | None = None

    def over_seeds(self, runs: Runs) -> Interval:
        """The number over seeds.

        Raises:
            AbsentError: it was not measured.
        """
        found = _values(runs, self.first)
        if self.less is not None:
            less = _values(runs, self.less)
            found = {seed: one - less[seed] for seed, one in found.items()}
        return over_seeds(list(found.values()))


BOUNDED = _Test("I: norm within its bound", "I, norm − bound", "norm", "bound")
STEERED = _Test("II: energy below chance", "II, chance − energy", "chance", "energy")
RELAXED = _Test(
    "II: relaxed by per-token coefficients",
    "II, energy − that of one coefficient a sample",
    "energy",
    "shared",
)
SEEN = _Test("III: visible as predicted", "III, deviation", "deviation")
TESTS = (BOUNDED, STEERED, RELAXED, SEEN)


class Gates(Part):
    """`arm` keeps the three gates, and its per-token coefficients relax the second.

    I: the update's relative norm is at most that of an isotropic update that diverges as far from
    W0. II: the gradient's energy in W0's 16 leading right directions lies below chance, k / n, and
    above what one coefficient a sample gives on the same samples. III: which entries visibly change
    is what storage predicts, by exponent of W0.

    What the control passes too says nothing of the objective, and is undetermined.

    Attributes:
        arm: whose `gates.json`.
        control: an arm that learns nothing, whose gates are measured too.
        inputs: share of the shortfall against chance that the layers' inputs must give to explain
            it.
        deviation: from the prediction, mean over entries, that still is the prediction.
    """

    type: Literal["gates"] = "gates"
    arm: str
    control: str | None = None
    inputs: Annotated[float, Field(gt=0, le=1)] = 0.8
    deviation: PositiveFloat = 0.05

    @property
    def arms_named(self) -> tuple[str, ...]:
        """The arm, then the control."""
        return (self.arm,) if self.control is None else (self.arm, self.control)

    @property
    def words(self) -> str:
        """Whose gates."""
        return f"three gates of {self.arm}, the second relaxed by per-token coefficients"

    def examine(self, evidence: Evidence) -> Finding:
        """Judge each gate over seeds, beside the control's."""
        runs = evidence.gates(self.arm)
        means = {name: over_seeds(list(_values(runs, name).values())) for name in NUMBERS}
        tested = {test: test.over_seeds(runs) for test in TESTS}
        beside = self._of_control(evidence)
        return Finding(
            checks=tuple(self._check(test, one, runs, beside) for test, one in tested.items()),
            ours=_listed(means, "norm", "energy", "deviation"),
            interval=", ".join(f"{test.what} {bounds(one, SHARE)}" for test, one in tested.items()),
            null=", ".join(
                [
                    _listed(means, "bound", "chance", "inputs", "shared", "Gaussian"),
                    *(f"{self.control} {t.what} {value(v.mean, SHARE)}" for t, v in beside.items()),
                ]
            ),
            numbers=tuple(number(test.what, one) for test, one in tested.items()),
            nulls=(
                *(number(what, one) for what, one in means.items()),
                *(number(f"{test.what}, {self.control}", one) for test, one in beside.items()),
            ),
            seeds=tuple(sorted(runs)),
            notes=tuple(self._notes(beside)),
        )

    def _check(
        self, test: _Test, found: Interval, runs: Runs, beside: Mapping[_Test, Interval]
    ) -> Check:
        """A condition that holds, unless the inputs or the control account for it."""
        check = self._placed(test, found)
        if check.word == "holds" and test is STEERED:
            check = self._explained(check, runs)
        if check.word == "holds" and test in beside:
            check = self._against(check, self._placed(test, beside[test]))
        return check

    def _placed(self, test: _Test, found: Interval) -> Check:
        if test is BOUNDED:
            return Check(test.check, *placed(found, -INFINITE, 0))
        if test is SEEN:
            return Check(test.check, *placed(found, 0, self.deviation))
        return _above(test.check, found)

    def _explained(self, check: Check, runs: Runs) -> Check:
        """Off the principal directions, and whether the layers' inputs give that already."""
        energy, inputs = _values(runs, "energy"), _values(runs, "inputs")
        left = [
            self.inputs * (chance - energy[seed]) - (chance - inputs[seed])
            for seed, chance in _values(runs, "chance").items()
        ]
        word, _ = placed(over_seeds(left), -INFINITE, 0)
        causes: tuple[Cause, ...] = ("inputs",) if word == "holds" else ()
        return replace(check, causes=causes, unresolved=HALFWAY if word == "undetermined" else "")

    def _against(self, check: Check, beside: Check) -> Check:
        """A check that holds, beside that of the control."""
        if beside.word == "holds":
            return Check(check.what, "undetermined", f"{self.control} passes it too")
        if beside.word == "does not hold":
            return check
        why = f"whether {self.control} passes it too: {beside.why}"
        return replace(check, unresolved="; ".join(filter(None, (check.unresolved, why))))

    def _of_control(self, evidence: Evidence) -> dict[_Test, Interval]:
        """What is tested, of the control, as far as it was measured."""
        found = dict[_Test, Interval]()
        if self.control is None:
            return found
        for test in TESTS:
            with suppress(AbsentError):
                found[test] = test.over_seeds(evidence.gates(self.control))
        return found

    def _notes(self, beside: Mapping[_Test, Interval]) -> list[str]:
        """Conditions that have no control."""
        if self.control is None:
            return []
        if not beside:
            return [f"the gates of {self.control} were not measured: any update may pass"]
        return [
            f"{test.check}: not measured of {self.control}" for test in TESTS if test not in beside
        ]


def _above(what: str, found: Interval) -> Check:
    """Above zero beyond seeds; below it beyond seeds, it does not hold."""
    if found.low is None or found.high is None:
        return Check(what, "undetermined", ONE_SEED)
    if found.low > 0:
        return Check(what, "holds")
    if found.high <= 0:
        return Check(what, "does not hold")
    return Check(what, "undetermined", NOISE)


def _values(runs: Runs, name: str) -> dict[int, float]:
    """A number of NUMBERS by seed.

    Raises:
        AbsentError: it is not there, or not defined.
    """
    return {seed: _at(run, NUMBERS[name]) for seed, run in runs.items()}


def _at(run: Mapping[str, Any], place: str) -> float:
    """A number of `gates.json`.

    Raises:
        AbsentError: it is not there, or not defined.
    """
    found: Any = run.get("gates")
    for key in (*place.split("."), "value"):
        found = found.get(key) if isinstance(found, Mapping) else None
    if not isinstance(found, int | float):
        raise AbsentError(f"gate {place} is not defined")
    return float(found)


def _listed(means: Mapping[str, Interval], *names: str) -> str:
    return ", ".join(f"{name} {value(means[name].mean, SHARE)}" for name in names)
