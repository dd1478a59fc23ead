"""A base and the checkpoints that follow it, on the axis of optimizer steps."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from hodograph.checkpoints.checkpoint import Checkpoint
from hodograph.checkpoints.reference import MOST_STEP, PARTS, open_checkpoint
from hodograph.errors import SettingsError

STEP_NAME = re.compile(r"(?:checkpoint|global_step|step|iter)[-_]?([0-9]{1,15})$")


@dataclass(frozen=True)
class Trajectory:
    """One W0 and T later checkpoints of it.

    Attributes:
        base: W0.
        tuned: W_1 .. W_T, in the order of their steps.
        steps: optimizer step of each, strictly increasing.
        base_step: optimizer step of W0; 0 where nothing tells another.
        numbered: True where no step was known and the checkpoints were numbered 1..T.
    """

    base: Checkpoint
    tuned: tuple[Checkpoint, ...]
    steps: tuple[int, ...]
    base_step: int
    numbered: bool


def open_trajectory(
    base: str | Path,
    tuned: Sequence[str | Path],
    steps: Sequence[int] | None = None,
    *,
    dequantise: bool = False,
) -> Trajectory:
    """Open a base and its later checkpoints.

    Steps come from `steps`, else from what a checkpoint records of itself, else from its folder's
    name (`checkpoint-120`, `step_120`, `global_step_120`, `iter_0000120`).
    `dequantise` is that of `open_checkpoint`.

    Raises:
        CheckpointError: one of them cannot be read.
        SettingsError: steps are partly unknown, of another number, or not increasing.
    """
    if not tuned:
        raise SettingsError("measure needs a base and at least one tuned checkpoint.")
    first = open_checkpoint(base, dequantise=dequantise)
    opened = tuple(open_checkpoint(path, first, dequantise=dequantise) for path in tuned)
    base_step = step_of(first) or 0
    if steps is not None:
        if len(steps) != len(opened):
            raise SettingsError(f"--steps names {len(steps)} steps for {len(opened)} checkpoints.")
        return Trajectory(first, opened, _increasing(opened, steps), base_step, numbered=False)
    found = [step_of(checkpoint) for checkpoint in opened]
    if all(step is None for step in found):
        numbers = tuple(range(1, len(opened) + 1))
        return Trajectory(first, opened, numbers, 0, numbered=True)
    unknown = [str(c.path) for c, step in zip(opened, found, strict=True) if step is None]
    if unknown:
        raise SettingsError(
            f"{unknown[0]}: its name does not tell the optimizer step, the others' names do.\n"
            "  Name every step: --steps 60,120,180"
        )
    known = _increasing(opened, [step for step in found if step is not None])
    return Trajectory(first, opened, known, base_step, numbered=False)


def step_of(checkpoint: Checkpoint) -> int | None:
    """Optimizer step that a checkpoint records, else that its folder's name tells."""
    recorded = checkpoint.training.get("step")
    if isinstance(recorded, int):
        return recorded
    if checkpoint.hub is not None:
        match = STEP_NAME.search(checkpoint.hub.revision)
        return int(match.group(1)) if match else None
    path = checkpoint.path.resolve()
    folder = path if path.is_dir() else path.parent
    match = STEP_NAME.search(folder.parent.name if folder.name in PARTS else folder.name)
    return int(match.group(1)) if match else None


def _increasing(opened: Sequence[Checkpoint], steps: Sequence[int]) -> tuple[int, ...]:
    if min(steps) < 0 or max(steps) > MOST_STEP:
        raise SettingsError(f"--steps: {min(steps)} to {max(steps)} are not steps of a training.")
    for index, (before, after) in enumerate(pairwise(steps)):
        if after <= before:
            raise SettingsError(
                f"{opened[index + 1].path} (step {after}) comes after {opened[index].path}"
                f" (step {before}).\n  Name the checkpoints in the order of training."
            )
    return tuple(steps)
