"""Two arms in one metric: their difference over seeds, at equal displacement, against storage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hodograph.orderings.metrics import Ordered, Seen
from hodograph.statistics.matching import Matched, matched
from hodograph.statistics.paired import Interval, t_interval
from hodograph.statistics.permutation import SignFlip, sign_flip
from hodograph.statistics.verdict import (
    THRESHOLDS,
    Standing,
    Word,
    beyond_seeds,
    explained_share,
    last_word,
    standing,
)

Seeds = Mapping[int, Seen]
ITSELF = "the metric is displacement itself"
NO_OVERLAP = "not comparable: norms do not overlap"
NO_NULL = "no null: the weights are stored in 16 bits"
ROUNDED = "the weights are stored in 16 bits, so rounding is part of the value"


@dataclass(frozen=True)
class Allowance:
    """What is left of a difference once one explanation has been allowed for.

    Attributes:
        standing: beyond it, explained by it, or unresolved.
        remainder: the difference that is left, over seeds; None where it cannot be had.
        share: share of the difference that the explanation accounts for.
        how: what the remainder was held against, or why there is none.
    """

    standing: Standing
    remainder: Interval | None
    share: float | None
    how: str


@dataclass(frozen=True)
class Pair:
    """Two adjacent arms of an ordering; differences are higher less lower, paired by seed.

    Attributes:
        lower: the arm with the smaller mean.
        higher: the other.
        difference: at the last step, as stored.
        displacement: what is left at equal relative norm.
        norm: that norm, mean over seeds; None where there is none.
        storage: what is left beyond storage.
        in_bfloat16: the difference as bfloat16 shows it, where the weights are wider.
        layers: sign flips of whole layers, where the arms share one seed alone.
        word: the verdict.
        why: its reason where it is undetermined.
    """

    lower: str
    higher: str
    difference: Interval
    displacement: Allowance
    norm: float | None
    storage: Allowance
    in_bfloat16: Interval | None
    layers: SignFlip | None
    word: Word
    why: str

    @property
    def tells(self) -> bool:
        """Whether there is a difference to explain: seeds alone do not account for it."""
        return beyond_seeds(self.difference) is not False


def pair_of(metric: Ordered, lower: tuple[str, Seeds], higher: tuple[str, Seeds]) -> Pair | None:
    """Judge two arms from one W0 on the seeds they share; None where they share none.

    Args:
        metric: what they are ordered by.
        lower: name and values by seed of the arm with the smaller mean.
        higher: the same of the other.
    """
    sides = [(lower[1][seed], higher[1][seed]) for seed in sorted({*lower[1]} & {*higher[1]})]
    if not sides:
        return None
    difference = _interval([high.value - low.value for low, high in sides])
    found = [matched(low.curve, high.curve) for low, high in sides]
    displacement = _displacement(metric, difference, found)
    storage = _storage(metric, difference, sides)
    word, why = last_word(
        difference, displacement.standing, storage.standing, _open(displacement, storage)
    )
    return Pair(
        lower=lower[0],
        higher=higher[0],
        difference=difference,
        displacement=displacement,
        norm=_norm(found) if metric.kind != "size" else None,
        storage=storage,
        in_bfloat16=_narrow(sides) if metric.kind == "spectral" else None,
        layers=_over_layers(*sides[0]) if len(sides) == 1 else None,
        word=word,
        why=why,
    )


def _interval(differences: Sequence[float]) -> Interval:
    return t_interval(differences, THRESHOLDS.level)


def _norm(found: list[Matched | None]) -> float | None:
    norms = [one.norm for one in found if one is not None]
    return float(np.mean(norms)) if norms else None


def _narrow(sides: list[tuple[Seen, Seen]]) -> Interval | None:
    differences = [
        high.narrow - low.narrow
        for low, high in sides
        if low.narrow is not None and high.narrow is not None
    ]
    return _interval(differences) if differences else None


def _allowed(remainder: Interval, difference: Interval, how: str) -> Allowance:
    share = explained_share(remainder.mean, difference.mean)
    return Allowance(standing(remainder, difference), remainder, share, how)


def _displacement(metric: Ordered, difference: Interval, found: list[Matched | None]) -> Allowance:
    if metric.kind == "size":
        return Allowance("explained", None, 1.0, ITSELF)
    known = [one for one in found if one is not None]
    if len(known) < len(found):
        return Allowance("unresolved", None, None, NO_OVERLAP)
    left = _interval([one.difference for one in known])
    doubt = float(np.mean([one.doubt for one in known]))
    return _allowed(left.widened(doubt), difference, "at equal relative norm")


def _storage(metric: Ordered, difference: Interval, sides: list[tuple[Seen, Seen]]) -> Allowance:
    """Visible changes against what storage alone gives; spectra by whether storage touched them."""
    if metric.kind != "visible":
        if all(side.wide for pair in sides for side in pair):
            return Allowance("beyond", difference, 0.0, "the weights are stored in 32 bits")
        return Allowance("unresolved", None, None, ROUNDED)
    nulls = set.intersection(*({*low.nulls} & {*high.nulls} for low, high in sides))
    if not nulls:
        return Allowance("unresolved", None, None, NO_NULL)
    null = min(nulls, key=lambda name: name.endswith("_gate"))
    left = _interval(
        [(high.value - high.nulls[null]) - (low.value - low.nulls[null]) for low, high in sides]
    )
    how = "a Gaussian update" if null.endswith("_gate") else "the permuted update"
    return _allowed(left, difference, f"beyond what {how} gives through bfloat16")


def _open(displacement: Allowance, storage: Allowance) -> str:
    if displacement.standing == "unresolved":
        if displacement.remainder is None:
            return displacement.how
        return "at equal norm the interval holds both nothing and the whole difference"
    if storage.remainder is None:
        return storage.how
    return "against storage the interval holds both nothing and the whole difference"


def _over_layers(low: Seen, high: Seen) -> SignFlip:
    return sign_flip((high.by_layer - low.by_layer).dropna().to_numpy(), seed=0)
