"""From a run folder, or a checkpoint, to the checkpoint that a run ended with."""

from dataclasses import dataclass
from pathlib import Path

from hodograph.checkpoints.checkpoint import Checkpoint
from hodograph.checkpoints.reference import open_checkpoint
from hodograph.checkpoints.trajectory import STEP_NAME
from hodograph.errors import CheckpointError


@dataclass(frozen=True)
class RunEnd:
    """The last checkpoint of a run.

    Attributes:
        checkpoint: its weights.
        start: the run's own step 0, where it kept one.
        finished: False for a run folder that does not say it has ended.
    """

    checkpoint: Checkpoint
    start: Checkpoint | None = None
    finished: bool = True


def is_run_folder(path: str | Path) -> bool:
    """Whether `path` is a folder with `checkpoints/` in it."""
    return (Path(path) / "checkpoints").is_dir()


def run_checkpoints(path: str | Path) -> dict[int, Path]:
    """The checkpoints of a run folder by their steps, ascending.

    Raises:
        CheckpointError: a run folder without a checkpoint after step 0.
    """
    found = (Path(path) / "checkpoints").iterdir()
    steps = {int(m[1]): child for child in found if (m := STEP_NAME.search(child.name))}
    if not any(steps):
        raise CheckpointError(
            f"{path}: this run folder holds no checkpoint after step 0.\n"
            "  Finish the run (the same hodograph train command goes on), or name a checkpoint."
        )
    return dict(sorted(steps.items()))


def open_run_end(
    path: str | Path, base: Checkpoint | None = None, *, dequantise: bool = False
) -> RunEnd:
    """Open the last checkpoint of a run folder, or the checkpoint that `path` is.

    Args:
        path: a folder with `checkpoints/step_...` in it, or what `open_checkpoint` reads.
        base: what an adapter changes; needed for adapters only.
        dequantise: as in `open_checkpoint`.

    Raises:
        CheckpointError: as `open_checkpoint`, or a run folder without checkpoints.
    """
    if not is_run_folder(path):
        return RunEnd(open_checkpoint(path, base, dequantise=dequantise))
    steps = run_checkpoints(path)
    start = open_checkpoint(steps[0], base, dequantise=dequantise) if 0 in steps else None
    finished = (Path(path) / "finished.json").exists()
    end = open_checkpoint(steps[max(steps)], base, dequantise=dequantise)
    return RunEnd(end, start, finished)
