"""The coordinate vector of a measurement, and what of it can be held against another's."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from hodograph.documents import UnreadableError, read_object
from hodograph.errors import StorageError
from hodograph.tables.columns import BY_NAME
from hodograph.tables.store import SUMMARY_FILE, read_measurement

COORDINATES: dict[str, str | None] = {
    "update_sparsity": "update_sparsity_null",
    "relative_norm": None,
    "angle_left_mean": None,
    "angle_right_mean": None,
    "nss": "nss_null",
    "overlap_principal_30": "overlap_principal_30_null",
    "overlap_low_30": "overlap_low_30_null",
    "stable_rank": None,
}
"""The metrics that place a measurement, each with its null."""

STORAGE_FREE = ("visibility", "landing")  # defined on bfloat16 values whatever the storage
KINDS = {"sft": "SFT", "opd": "OPD", "rlvr": "RLVR", "control": "control"}


class _Base(BaseModel):
    digest: str


class _Checkpoint(BaseModel):
    step: int
    storage: str
    metrics: dict[str, dict[str, Any]]


class _Summary(BaseModel):
    """What of summary.json places a measurement."""

    base: _Base
    scope: str
    settings: dict[str, Any]
    checkpoints: list[_Checkpoint] = Field(min_length=1)


@dataclass(frozen=True)
class Arm:
    """One measurement as a point.

    Attributes:
        folder: the measurement.
        kind: "SFT", "OPD", "RLVR", "control", or None where nothing tells it.
        digest: XXH3-128 of W0.
        scope: the matrices it is over.
        storage: the dtype its update is seen in.
        step: of its last checkpoint.
        settings: it was measured under.
        values: the coordinates; None where one is not defined.
        nulls: what chance alone gives for them.
    """

    folder: Path
    kind: str | None
    digest: str
    scope: str
    storage: str
    step: int
    settings: dict[str, Any]
    values: dict[str, float | None]
    nulls: dict[str, float | None]


def read_arm(path: Path, kind: str | None = None) -> Arm:
    """Read a measurement's last checkpoint, as stored.

    Args:
        path: what `hodograph measure --out` wrote, or a run folder with a `measurement` in it.
        kind: of its training; without it, the recipe of the run the measurement lies in tells.

    Raises:
        StorageError: there is no finished measurement, or not all of one.
    """
    nested = path / "measurement"
    folder = nested if (nested / SUMMARY_FILE).exists() else path
    _, content = read_measurement(folder)
    try:
        summary = _Summary.model_validate(content)
        end = _end(summary.checkpoints)
        metrics = end.metrics
        return Arm(
            folder,
            kind or _trained(folder.resolve().parent / "recipe.json"),
            summary.base.digest,
            summary.scope,
            end.storage,
            end.step,
            summary.settings,
            {name: _value(metrics[name]) for name in COORDINATES},
            {name: _value(metrics[null]) if null else None for name, null in COORDINATES.items()},
        )
    except KeyError as error:
        raise StorageError(
            f"{folder}: {SUMMARY_FILE} has no {error}; another version wrote it.\n"
            "  Measure again with this version."
        ) from error
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise StorageError(
            f"{folder}: {SUMMARY_FILE} is not as expected at {where}; it was changed or damaged.\n"
            "  Measure again into an empty folder."
        ) from error


def incomparable(mine: Arm, other: Arm) -> dict[str, str]:
    """Metrics that two arms cannot be compared by, each with the reason."""
    if other.digest != mine.digest:
        return dict.fromkeys(COORDINATES, "another W0")
    if other.scope != mine.scope:
        return dict.fromkeys(COORDINATES, f"scope {other.scope}, here {mine.scope}")
    reasons = {}
    for name in COORDINATES:
        if reason := _reason(name, mine, other):
            reasons[name] = reason
    return reasons


def distance(mine: Arm, other: Arm) -> float | None:
    """Root mean square of ln(x / y) over the metrics that can be compared.

    0 for equal vectors, .69 where the metrics typically differ by a factor of two. Sparsity enters
    as density, the share that changed; a metric that is 0 on one side is left out.
    """
    excluded = incomparable(mine, other)
    squares = []
    for name in COORDINATES:
        x, y = _positive(name, mine), _positive(name, other)
        if name not in excluded and x is not None and y is not None:
            squares.append(math.log(x / y) ** 2)
    return math.sqrt(sum(squares) / len(squares)) if squares else None


def _reason(name: str, mine: Arm, other: Arm) -> str | None:
    if mine.values[name] is None or other.values[name] is None:
        return "not defined for one of them"
    if BY_NAME[name].family not in STORAGE_FREE and mine.storage != other.storage:
        return f"seen in {other.storage}, here in {mine.storage}"
    setting = {"rotation": "angle_k"}.get(BY_NAME[name].family)
    if name == "overlap_principal_30":
        setting = "mask_rank"
    if setting and mine.settings.get(setting) != other.settings.get(setting):
        return f"{setting} {other.settings.get(setting)}, here {mine.settings.get(setting)}"
    return None


def _positive(name: str, arm: Arm) -> float | None:
    value = arm.values[name]
    if value is None:
        return None
    value = 1 - value if name == "update_sparsity" else value
    return value if value > 0 else None


def _end(checkpoints: list[_Checkpoint]) -> _Checkpoint:
    """The last step as stored: rows that also_bf16 added are the bfloat16 ones."""
    last = [c for c in checkpoints if c.step == checkpoints[-1].step]
    return next((c for c in last if c.storage != "bfloat16"), last[0])


def _value(entry: dict[str, Any]) -> float | None:
    return entry.get("weighted", entry["mean"])


def _trained(recipe: Path) -> str | None:
    """The kind of run a recipe describes; a random reward makes it a control."""
    if not recipe.exists():
        return None
    try:
        objective = read_object(recipe)["objective"]
        kind = "control" if objective.get("reward") == "random" else objective["type"]
    except (UnreadableError, KeyError, TypeError, AttributeError) as error:
        raise StorageError(
            f"{recipe}: does not tell the objective ({error}).\n"
            "  Name the kind yourself: --against opd=FOLDER"
        ) from error
    return KINDS.get(kind)
