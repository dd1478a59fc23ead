"""A finished run, opened: its recipe, its checkpoints by step, and a teacher."""

import json
from dataclasses import dataclass
from pathlib import Path

from hodograph.checkpoints import Trajectory, open_trajectory
from hodograph.checkpoints.run_folder import is_run_folder, open_run_end, run_checkpoints
from hodograph.errors import SettingsError
from hodograph.gates.settings import GatesSettings
from hodograph.inputs.model import model_folder
from hodograph.inputs.source import RECIPE_FILE, recipe_in
from hodograph.matrices.pairing import Parameter
from hodograph.recipes import Recipe


@dataclass(frozen=True)
class GatedRun:
    """What the gates of a run are measured from.

    Attributes:
        folder: of the run.
        recipe: that it was trained by.
        checkpoints: every checkpoint by its step, W0 at 0 included.
        steps: those looked at, ascending, none of them 0.
        teacher: the model that scores tokens, or None.
    """

    folder: Path
    recipe: Recipe
    checkpoints: dict[int, Path]
    steps: tuple[int, ...]
    teacher: Path | None

    @property
    def base(self) -> Path:
        """W0."""
        return self.checkpoints[0]

    def before(self, step: int) -> int:
        """Step of the checkpoint before this one, whether it is looked at or not."""
        return max(known for known in self.checkpoints if known < step)

    def trajectory(self) -> Trajectory:
        """W0 and the checkpoints looked at."""
        return open_trajectory(self.base, [self.checkpoints[step] for step in self.steps])

    def described(self) -> dict[str, str | None]:
        """Where everything was taken from, for the record."""
        task = json.dumps(self.recipe.task.model_dump(mode="json"))
        teacher = None if self.teacher is None else str(self.teacher)
        return {
            "folder": str(self.folder),
            "name": self.recipe.name,
            "objective": self.recipe.objective.type,
            "task": task,
            "teacher": teacher,
        }


@dataclass(frozen=True)
class Work:
    """What is measured, and how much of it.

    Attributes:
        run: as opened.
        trajectory: W0 and the checkpoints looked at.
        parameters: whose matrices are asked for.
        settings: how much.
    """

    run: GatedRun
    trajectory: Trajectory
    parameters: list[Parameter]
    settings: GatesSettings

    @property
    def temperature(self) -> float:
        """At which the policies are sampled and compared."""
        return self.run.recipe.sampling.temperature


def open_run(
    folder: str | Path, steps: tuple[int, ...] = (), teacher: str | Path | None = None
) -> GatedRun:
    """Open a run folder of `hodograph train` or of a study.

    Args:
        folder: with recipe.json and checkpoints/.
        steps: checkpoints to look at; empty for the first, the middle and the last after W0.
        teacher: a run or model folder; by default the recipe's own teacher, if it has one.

    Raises:
        SettingsError: no run folder, a step without a checkpoint, or no such teacher.
        CheckpointError: the run has not left W0 and a later checkpoint.
    """
    folder = Path(folder)
    if not (folder / RECIPE_FILE).is_file() or not is_run_folder(folder):
        raise SettingsError(
            f"{folder}: holds no {RECIPE_FILE} and checkpoints/, so it is no run folder.\n"
            "  Name the folder given to --out of hodograph train, or seed_N/ARM of a study."
        )
    recipe, checkpoints = recipe_in(folder / RECIPE_FILE), run_checkpoints(folder)
    if 0 not in checkpoints:
        raise SettingsError(f"{folder}: checkpoints/ holds no step_0, the W0 of every update.")
    for path in checkpoints.values():
        model_folder(path)
    chosen = _chosen(folder, checkpoints, steps)
    return GatedRun(folder, recipe, checkpoints, chosen, _teacher(recipe, teacher))


def _chosen(folder: Path, checkpoints: dict[int, Path], steps: tuple[int, ...]) -> tuple[int, ...]:
    later = [step for step in checkpoints if step > 0]
    unknown = sorted(set(steps) - set(later))
    if unknown:
        known = ", ".join(map(str, later))
        raise SettingsError(f"{folder}: no checkpoint of step {unknown[0]} after W0 ({known}).")
    picked = set(steps) or {later[0], later[(len(later) - 1) // 2], later[-1]}
    return tuple(sorted(picked))


def _teacher(recipe: Recipe, named: str | Path | None) -> Path | None:
    if named is None and recipe.teacher is None:
        return None
    place = str(named) if named is not None else recipe.teacher.place if recipe.teacher else ""
    if not Path(place).exists():
        raise SettingsError(
            f"the teacher {place} is no folder here.\n"
            "  Name its run or model folder: --teacher FOLDER"
        )
    return model_folder(open_run_end(place).checkpoint.path)
