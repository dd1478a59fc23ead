"""The three gates of an arm: bounded, steered off W0's principal directions, seen in bfloat16."""

from collections.abc import Mapping
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

Values = dict[int, float]
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


class Gates(Part):
    """`arm` keeps the three gates, and its per-token coefficients relax the second.

    I: the update's relative norm is at most that of an isotropic update that diverges as far from
    W0. II: the gradient's energy in W0's 16 leading right directions lies below chance, k / n, and
    above what one coefficient a sample gives on the same samples. III: which entries visibly change
    is what storage predicts, by exponent of W0.

    Attributes:
        arm: whose `gates.json`.
        inputs: share of the shortfall against chance that the layers' inputs must give to explain
            it.
        deviation: from the prediction, mean over entries, that still is the prediction.
    """

    type: Literal["gates"] = "gates"
    arm: str
    inputs: Annotated[float, Field(gt=0, le=1)] = 0.8
    deviation: PositiveFloat = 0.05

    @property
    def arms_named(self) -> tuple[str, ...]:
        """The arm."""
        return (self.arm,)

    @property
    def words(self) -> str:
        """Whose gates."""
        return f"three gates of {self.arm}, the second relaxed by per-token coefficients"

    def examine(self, evidence: Evidence) -> Finding:
        """Judge each gate over seeds."""
        runs = evidence.gates(self.arm)
        read = {name: {s: _at(run, place) for s, run in runs.items()}
                for name, place in NUMBERS.items()}  # fmt: skip
        means = {name: over_seeds(list(values.values())) for name, values in read.items()}
        tested = {
            "I, norm − bound": _less(read["norm"], read["bound"]),
            "II, chance − energy": _less(read["chance"], read["energy"]),
            "II, energy − that of one coefficient a sample": _less(read["energy"], read["shared"]),
            "III, deviation": means["deviation"],
        }
        bounded, steered, relaxed, seen = tested.values()
        return Finding(
            checks=(
                Check("I: norm within its bound", *placed(bounded, -INFINITE, 0)),
                self._steered(steered, read),
                _above("II: relaxed by per-token coefficients", relaxed),
                Check("III: visible as predicted", *placed(seen, 0, self.deviation)),
            ),
            ours=_listed(means, "norm", "energy", "deviation"),
            interval=", ".join(f"{what} {bounds(one, SHARE)}" for what, one in tested.items()),
            null=_listed(means, "bound", "chance", "inputs", "shared", "Gaussian"),
            numbers=tuple(number(what, one) for what, one in tested.items()),
            nulls=tuple(number(what, one) for what, one in means.items()),
            seeds=tuple(sorted(runs)),
        )

    def _steered(self, short: Interval, read: Mapping[str, Values]) -> Check:
        """Off the principal directions, and whether the layers' inputs give that already."""
        check = _above("II: energy below chance", short)
        if check.word != "holds":
            return check
        left = [
            self.inputs * (chance - read["energy"][seed]) - (chance - read["inputs"][seed])
            for seed, chance in read["chance"].items()
        ]
        word, _ = placed(over_seeds(left), -INFINITE, 0)
        causes: tuple[Cause, ...] = ("inputs",) if word == "holds" else ()
        return Check(check.what, "holds", causes=causes,
                     unresolved=HALFWAY if word == "undetermined" else "")  # fmt: skip


def _above(what: str, found: Interval) -> Check:
    """Above zero beyond seeds; below it beyond seeds, it does not hold."""
    if found.low is None or found.high is None:
        return Check(what, "undetermined", ONE_SEED)
    if found.low > 0:
        return Check(what, "holds")
    if found.high <= 0:
        return Check(what, "does not hold")
    return Check(what, "undetermined", NOISE)


def _less(first: Values, second: Values) -> Interval:
    return over_seeds([first[seed] - second[seed] for seed in first])


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
