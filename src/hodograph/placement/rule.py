"""The stated rule: SFT-like, OPD-like, RLVR-like, or ambiguous. Nothing in it is fitted."""

from collections.abc import Sequence
from dataclasses import dataclass

from hodograph.placement.anchors import ranges
from hodograph.placement.coordinates import Arm, distance

CLEARLY = 2.0  # the second nearest kind must be this many times as far
MARGIN = 0.05  # a published range reaches this much further on both sides
AMBIGUOUS = "ambiguous"
TRAINED = ("SFT", "OPD", "RLVR")
RULE = (
    "Own arms of the same W0 and scope, if there are some of SFT, of OPD and of RLVR: the nearest"
    f" kind, if every other kind is at least {CLEARLY:g} times as far and it is no control."
    " Otherwise published update sparsity of all weights: the only kind whose published range,"
    f" widened by {100 * MARGIN:g} points, holds the value. Otherwise ambiguous."
)


@dataclass(frozen=True)
class Verdict:
    """What the rule says, and why."""

    label: str
    reason: str


def verdict(mine: Arm, arms: Sequence[Arm]) -> Verdict:
    """Apply the rule to a measurement and the arms it is held against."""
    nearest = _nearest(mine, arms)
    lacking = [kind for kind in TRAINED if kind not in nearest]
    return _among_published(mine, lacking) if lacking else _among_arms(nearest)


def _nearest(mine: Arm, arms: Sequence[Arm]) -> dict[str, float]:
    """Distance to the nearest comparable arm of each kind, nearest first."""
    found: dict[str, float] = {}
    for arm in arms:
        away = distance(mine, arm)
        if arm.kind is not None and away is not None:
            found[arm.kind] = min(away, found.get(arm.kind, away))
    return dict(sorted(found.items(), key=lambda item: item[1]))


def _among_arms(nearest: dict[str, float]) -> Verdict:
    (first, near), (second, next_near) = list(nearest.items())[:2]
    told = f"own arms: {first} at {near:.3f}, {second} at {next_near:.3f}"
    if next_near < CLEARLY * near or next_near == near:
        return Verdict(AMBIGUOUS, f"{told}: less than a factor of {CLEARLY:g} apart")
    if first not in TRAINED:
        return Verdict(AMBIGUOUS, f"{told}: nearest to a control, which is no kind of training")
    return Verdict(f"{first}-like", told)


def _among_published(mine: Arm, lacking: Sequence[str]) -> Verdict:
    without = f"no comparable own arm of {', '.join(lacking)}"
    value = mine.values["update_sparsity"]
    if value is None:
        return Verdict(AMBIGUOUS, f"{without}; no sparsity is known")
    if mine.scope != "all":
        return Verdict(
            AMBIGUOUS,
            f"{without}; published sparsities are of all weights, this one of the scope"
            f" {mine.scope}: name more arms with --against, or measure with --scope all",
        )
    holding = [
        kind
        for kind, (low, high) in ranges("update_sparsity").items()
        if low - MARGIN <= value <= high + MARGIN
    ]
    within = " and ".join(holding) or "no kind"
    told = f"{without}; a sparsity of {100 * value:.1f} % lies in the published range of {within}"
    return Verdict(f"{holding[0]}-like" if len(holding) == 1 else AMBIGUOUS, told)
