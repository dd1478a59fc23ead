"""The run folder: where a run's files lie, and how they appear whole or not at all.

RUN/recipe.json                  the resolved recipe
RUN/provenance.json              versions, machine, hash of the first weights, times
RUN/metrics.jsonl                one JSON object a step
RUN/evaluations.json             accuracies
RUN/checkpoints/step_N/          Hugging Face layout, and hodograph_step.json
RUN/state/checkpoint-N/          what resuming needs; whole once complete.json is there
RUN/finished.json                written last
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hodograph import documents
from hodograph.atomic import sweep, sync, write_json, write_text
from hodograph.errors import SettingsError, StorageError
from hodograph.exclusive import LOCK_FILE
from hodograph.recipes import Recipe, first_difference, parse_recipe
from hodograph.world import ALONE, World

COMPLETE = "complete.json"
PARTIAL = ".partial"
STEP_FILE = "hodograph_step.json"


class RunFolder:
    """One run's folder on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.recipe = path / "recipe.json"
        self.provenance = path / "provenance.json"
        self.metrics = path / "metrics.jsonl"
        self.evaluations = path / "evaluations.json"
        self.checkpoints = path / "checkpoints"
        self.state = path / "state"
        self.finished = path / "finished.json"

    def checkpoint(self, step: int) -> Path:
        """Return where the weights after `step` steps lie."""
        return self.checkpoints / f"step_{step}"

    def require(self, recipe: Recipe) -> None:
        """Refuse a folder that is not this recipe's own, or new.

        Raises:
            SettingsError: the folder belongs to another recipe, or holds something else.
        """
        if self.recipe.exists():
            self._same_recipe(recipe)
        elif self.path.is_dir() and not all(map(_is_own, self.path.iterdir())):
            raise SettingsError(f"{self.path} is not empty and holds no run: choose another --out.")

    def create(self, recipe: Recipe) -> None:
        """Make the folder, unless it is there."""
        self.path.mkdir(parents=True, exist_ok=True)
        if not self.recipe.exists():
            write_json(self.recipe, recipe.as_json())

    def resumable(self, world: World = ALONE) -> Path | None:
        """Return the newest complete trainer state, or None.

        Raises:
            SettingsError: it is of other processes than those that would go on with it.
        """
        complete = [mark.parent for mark in self.state.glob(f"checkpoint-*/{COMPLETE}")]
        newest = max(complete, key=_step_of, default=None)
        if newest is not None:
            mark = {"processes": 1, "parallel": "none"} | read_json(newest / COMPLETE)
            if (mark["processes"], mark["parallel"]) != (world.size, world.engine):
                raise SettingsError(
                    f"{self.path} was trained by {mark['processes']} processes"
                    f" ({mark['parallel']}), not {world.size} ({world.engine}):"
                    " go on with it as it began, or choose another --out."
                )
        return newest

    def rewind(self, state: Path | None) -> None:
        """Drop all that a killed process left behind after `state`; it is computed again."""
        step = -1 if state is None else _step_of(state)
        for left in [*self.checkpoints.glob("*"), *self.state.glob("checkpoint-*")]:
            if left.suffix == PARTIAL or _step_of(left) > step:
                _drop(left)
        sweep(self.path)
        self._rewind_records(step)

    def complete_state(self, step: int, world: World = ALONE) -> None:
        """Mark the trainer state of `step` as whole, then drop the older ones."""
        current = self.state / f"checkpoint-{step}"
        mark = {"step": step, "processes": world.size, "parallel": world.engine}
        write_json(current / COMPLETE, mark)
        for old in self.state.glob("checkpoint-*"):
            if old != current:
                _drop(old)

    def finish(self, steps: int) -> None:
        """Declare the run finished, and drop the state that nothing will resume."""
        final = self.checkpoint(steps).relative_to(self.path)
        write_json(self.finished, {"final_checkpoint": str(final), "steps": steps})
        self.drop_state()

    def drop_state(self) -> None:
        """Drop the trainer state of a finished run."""
        shutil.rmtree(self.state, ignore_errors=True)

    def _same_recipe(self, recipe: Recipe) -> None:
        written = parse_recipe(read_json(self.recipe), str(self.recipe))  # newer keys: as default
        key = first_difference(written.as_json(), recipe.as_json())
        if key is not None:
            raise SettingsError(
                f"{self.path} holds a run of another recipe: {key!r} differs.\n"
                "  Choose another --out, or remove the folder to train anew."
            )

    def _rewind_records(self, step: int) -> None:
        if self.metrics.exists():
            lines = self.metrics.read_text().splitlines(keepends=True)
            write_text(self.metrics, "".join(line for line in lines if _logged_by(line, step)))
        if self.evaluations.exists():
            kept = [entry for entry in read_json(self.evaluations) if entry["step"] <= step]
            write_json(self.evaluations, kept)


@contextmanager
def appearing_whole(path: Path) -> Iterator[Path]:
    """Give a folder to fill, which takes its name `path` in one rename at the end."""
    partial = path.with_name(f"{path.name}{PARTIAL}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    yield partial
    for file in partial.rglob("*"):
        sync(file)
    partial.rename(path)
    sync(path.parent)


def read_json(path: Path) -> Any:
    """Read a JSON file of a run folder.

    Raises:
        StorageError: it cannot be read or is not JSON.
    """
    try:
        return documents.read_json(path)
    except documents.UnreadableError as error:
        raise StorageError(f"{path} cannot be read back: {error}.") from None


def _is_own(child: Path) -> bool:
    """Whether a file is what a process killed at its start leaves: a lock, a temporary file."""
    return child.name == LOCK_FILE or (child.name[0] == "." and child.suffix == ".part")


def _drop(folder: Path) -> None:
    """Remove a folder that, should this be cut short, must not look whole."""
    partial = folder.with_name(folder.name.removesuffix(PARTIAL) + PARTIAL)
    folder.rename(partial)
    shutil.rmtree(partial)


def _step_of(folder: Path) -> int:
    return int(folder.name.replace("-", "_").rpartition("_")[2])


def _logged_by(line: str, step: int) -> bool:
    """Whether a metrics line is whole and belongs to one of the first `step` steps."""
    return line.endswith("\n") and json.loads(line)["step"] <= step
