"""Train a recipe into a run folder; the same call resumes what was killed."""

from dataclasses import dataclass
from pathlib import Path

from hodograph.atomic import write_json
from hodograph.checkpoints import open_checkpoint
from hodograph.exclusive import only_process
from hodograph.recipes import Recipe
from hodograph.training.account import account
from hodograph.training.assembly import (
    Parts,
    build_monitor,
    build_recorder,
    build_trainer,
    open_parts,
)
from hodograph.training.folder import RunFolder, read_json
from hodograph.training.machine import one_process, storage_errors
from hodograph.training.provenance import describe_environment, now
from hodograph.training.quiet import without_noise
from hodograph.training.recorder import OnStep


@dataclass(frozen=True)
class TrainedRun:
    """A finished run."""

    path: Path
    final_checkpoint: Path
    steps: int
    """Steps trained; fewer than the recipe's when it stopped early."""
    evaluations: list[dict[str, float]]


def train(recipe: Recipe, out: Path, *, on_step: OnStep | None = None) -> TrainedRun:
    """Train `recipe` into the run folder `out` and return the finished run.

    A run that was killed continues from its last checkpoint, to the same bytes an unbroken run
    writes; a finished one returns at once. `on_step` is called with (step, steps) after each.

    Raises:
        SettingsError: the folder holds another recipe's run, the teacher's vocabulary differs,
            training diverged, or more than one process or GPU was given.
        CheckpointError: the student or the teacher cannot be read.
        StorageError: the disk is full, or the folder cannot be written or read back.
    """
    one_process()
    folder = RunFolder(out)
    folder.require(recipe)
    if not folder.finished.exists():
        with without_noise(), storage_errors(out):
            parts = open_parts(recipe)  # first: a bad model must not leave a folder behind
            with only_process(out):
                folder.create(recipe)
                _run(recipe, folder, parts, on_step or (lambda step, steps: None))
    folder.drop_state()  # left where a run was killed at its very end
    return _finished(folder)


def _run(recipe: Recipe, folder: RunFolder, parts: Parts, on_step: OnStep) -> None:
    if folder.finished.exists():
        return  # by another process, while this one opened the models
    resumed = folder.resumable()
    folder.rewind(resumed)
    _note_start(recipe, folder)
    trainer = build_trainer(recipe, folder, parts)
    if monitor := build_monitor(recipe, folder):
        trainer.add_callback(monitor)
    trainer.add_callback(build_recorder(recipe, folder, parts, on_step))
    trainer.train(resume_from_checkpoint=None if resumed is None else str(resumed))
    _note_end(folder, trainer.state.global_step)


def _note_start(recipe: Recipe, folder: RunFolder) -> None:
    old = read_json(folder.provenance) if folder.provenance.exists() else {"started": []}
    started = [*old["started"], now()]
    described = {"seed": recipe.seed, "training": account(recipe), "started": started}
    write_json(folder.provenance, describe_environment() | described)


def _note_end(folder: RunFolder, steps: int) -> None:
    w0_hash = open_checkpoint(folder.checkpoint(0)).digest()
    provenance = read_json(folder.provenance) | {"w0_hash": w0_hash, "finished": now()}
    write_json(folder.provenance, provenance)
    folder.finish(steps)


def _finished(folder: RunFolder) -> TrainedRun:
    end = read_json(folder.finished)
    evaluations = read_json(folder.evaluations) if folder.evaluations.exists() else []
    return TrainedRun(folder.path, folder.path / end["final_checkpoint"], end["steps"], evaluations)
