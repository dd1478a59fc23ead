"""One measurement held against own arms and published runs, with what cannot be compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hodograph.errors import SettingsError
from hodograph.placement.anchors import published
from hodograph.placement.coordinates import (
    COORDINATES,
    KINDS,
    Arm,
    distance,
    incomparable,
    read_arm,
)
from hodograph.placement.rule import RULE, Verdict, verdict

UNKNOWN = "not published"


@dataclass(frozen=True)
class Placement:
    """Where a measurement lies.

    Attributes:
        arm: the measurement as a point.
        against: the own arms it was held against.
        verdict: SFT-like, OPD-like, RLVR-like or ambiguous, with the reason.
    """

    arm: Arm
    against: tuple[Arm, ...]
    verdict: Verdict

    def record(self) -> dict[str, Any]:
        """Everything as plain values, for a JSON document; W0's digest stands in every part."""
        return {
            "folder": str(self.arm.folder),
            "verdict": self.verdict.label,
            "reason": self.verdict.reason,
            "rule": RULE,
            "w0_digest": self.arm.digest,
            "scope": self.arm.scope,
            "storage": self.arm.storage,
            "step": self.arm.step,
            "coordinates": {
                name: {"value": self.arm.values[name], "null": self.arm.nulls[name]}
                for name in COORDINATES
            },
            "arms": [_held_against(self.arm, other) for other in self.against],
            "published": held_against_published(self.arm),
            "without_published_anchors": unpublished(),
        }


def place(folder: str | Path, against: Sequence[str | Path] = ()) -> Placement:
    """Place a finished measurement among own arms and published runs.

    Args:
        folder: what `hodograph measure --out` wrote, or a run folder with a `measurement` in it.
        against: the same of own arms, or "KIND=FOLDER" with KIND sft, opd, rlvr or control, where
            no recipe beside the measurement tells the kind.

    Raises:
        StorageError: one of them holds no finished measurement.
        SettingsError: the measurement is to be held against itself.
    """
    arm = read_arm(Path(folder))
    others = tuple(_own_arm(one) for one in against)
    for other in others:
        if other.folder.resolve() == arm.folder.resolve():
            raise SettingsError(
                f"{other.folder}: --against names the measurement that is to be placed.\n"
                "  Name the measurements of other runs."
            )
    return Placement(arm, others, verdict(arm, others))


def held_against_published(arm: Arm) -> list[dict[str, Any]]:
    """Every published anchor, with the difference where the definition and the scope are ours."""
    rows = []
    for anchor in published():
        mine = arm.values[anchor.metric]
        reason = None
        if mine is None:
            reason = "not defined here"
        elif anchor.scope != arm.scope:
            reason = f"scope {anchor.scope}, here {arm.scope}"
        rows.append(
            vars(anchor)
            | {
                "w0_digest": UNKNOWN,
                "difference": mine - anchor.value if mine is not None and reason is None else None,
                "not_comparable": reason,
            }
        )
    return rows


def unpublished() -> list[str]:
    """Coordinates for which no number is published under the same definition."""
    known = {anchor.metric for anchor in published()}
    return [name for name in COORDINATES if name not in known]


def _own_arm(named: str | Path) -> Arm:
    kind, given, folder = str(named).partition("=")
    if given and kind.lower() in KINDS:
        return read_arm(Path(folder), KINDS[kind.lower()])
    return read_arm(Path(named))


def _held_against(mine: Arm, other: Arm) -> dict[str, Any]:
    return {
        "folder": str(other.folder),
        "kind": other.kind,
        "w0_digest": other.digest,
        "step": other.step,
        "values": other.values,
        "distance": distance(mine, other),
        "not_comparable": incomparable(mine, other),
    }
