"""Train a recipe into a run folder; the same call resumes what was killed."""

from contextlib import ExitStack
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
from hodograph.training.launch import require_launch
from hodograph.training.machine import storage_errors
from hodograph.training.provenance import describe_environment, now
from hodograph.training.quiet import without_noise
from hodograph.training.recorder import OnStep
from hodograph.world import World, join


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

    Under a launcher (accelerate, torchrun) every process calls this with the same recipe; the
    first one writes, and `on_step` is called there alone.

    Raises:
        SettingsError: the folder holds another recipe's run, the teacher's vocabulary differs,
            training diverged, or the recipe does not fit the processes.
        CheckpointError: the student or the teacher cannot be read.
        StorageError: the disk is full, or the folder cannot be written or read back.
    """
    world, folder = join(), RunFolder(out)
    require_launch(recipe, world)
    with world.ends_together():
        if world.decided(lambda: _is_unfinished(recipe, folder)):
            with without_noise(), storage_errors(out):
                # first: a bad model must not leave a folder behind
                parts = world.together(lambda: open_parts(recipe, world))
                with ExitStack() as held:
                    world.decided(lambda: _hold(held, out))
                    _run(recipe, folder, parts, on_step or (lambda step, steps: None))
        return world.decided(lambda: _finished(folder))


def _is_unfinished(recipe: Recipe, folder: RunFolder) -> bool:
    folder.require(recipe)
    return not folder.finished.exists()


def _hold(held: ExitStack, out: Path) -> None:
    held.enter_context(only_process(out))


def _run(recipe: Recipe, folder: RunFolder, parts: Parts, on_step: OnStep) -> None:
    world = parts.world
    if not world.decided(lambda: _is_unfinished(recipe, folder)):
        return  # by another command, while this one opened the models
    resumed = world.decided(lambda: _begin(recipe, folder, world))
    trainer = build_trainer(recipe, folder, parts)
    if monitor := build_monitor(recipe, folder):
        trainer.add_callback(monitor)
    trainer.add_callback(build_recorder(recipe, folder, parts, on_step))
    trainer.train(resume_from_checkpoint=None if resumed is None else str(resumed))
    world.decided(lambda: _note_end(folder, trainer.state.global_step))


def _begin(recipe: Recipe, folder: RunFolder, world: World) -> Path | None:
    """Make the folder as it shall be when training starts, and return the state to resume."""
    folder.create(recipe)
    resumed = folder.resumable(world)
    folder.rewind(resumed)
    _note_start(recipe, folder, world)
    return resumed


def _note_start(recipe: Recipe, folder: RunFolder, world: World) -> None:
    old = read_json(folder.provenance) if folder.provenance.exists() else {"started": []}
    started = [*old["started"], now()]
    described = {"seed": recipe.seed, "training": account(recipe), "started": started}
    described |= {"processes": world.size, "parallel": world.engine}
    write_json(folder.provenance, describe_environment() | described)


def _note_end(folder: RunFolder, steps: int) -> None:
    w0_hash = open_checkpoint(folder.checkpoint(0)).digest()
    provenance = read_json(folder.provenance) | {"w0_hash": w0_hash, "finished": now()}
    write_json(folder.provenance, provenance)
    folder.finish(steps)


def _finished(folder: RunFolder) -> TrainedRun:
    folder.drop_state()  # left where a run was killed at its very end
    end = read_json(folder.finished)
    evaluations = read_json(folder.evaluations) if folder.evaluations.exists() else []
    return TrainedRun(folder.path, folder.path / end["final_checkpoint"], end["steps"], evaluations)
