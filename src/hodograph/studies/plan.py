"""From a study to its runs: recipes resolved, folders given, dependencies known."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hodograph.errors import SettingsError
from hodograph.recipes import (
    WITH_A_PATH,
    Recipe,
    merged,
    parse_recipe,
)
from hodograph.studies.inheritance import reference, replaced, run_named
from hodograph.studies.study import Study

Role = Literal["stage", "arm"]
SEEDS = "seeds"


@dataclass(frozen=True)
class StudyRun:
    """One run of a study.

    Attributes:
        name: of the stage or arm.
        role: "stage" or "arm"; only arms are measured.
        seed: seed of the recipe.
        folder: where the run is kept.
        recipe: resolved.
        student: where its W0 comes from: a run's name, a path, or "random weights".
        teacher: the same for the teacher, or None.
        needs: keys of the runs that must be finished before.
    """

    name: str
    role: Role
    seed: int
    folder: Path
    recipe: Recipe
    student: str
    teacher: str | None
    needs: tuple[str, ...]

    @property
    def key(self) -> str:
        """Name of the run among all seeds."""
        return f"seed_{self.seed}/{self.name}"

    @property
    def measurement(self) -> Path:
        """Where its measurement is kept."""
        return self.folder / "measurement"

    @property
    def gates(self) -> Path:
        """Where the account of its gates is kept, if there is one."""
        return self.folder / "gates"


def plan(study: Study, source: Path, out: Path) -> list[StudyRun]:
    """Every run of the study, stages before arms, each after what it needs.

    A stage is part of it for the seeds in which an arm needs it.

    Args:
        study: as loaded.
        source: the study's file, for messages.
        out: the study's folder.

    Raises:
        SettingsError: a recipe is wrong, names an unknown run, or runs need each other in a ring.
    """
    stages = [
        _run(study, source, out, "stage", name, seed)
        for seed in study.seeds
        for name in study.stages
    ]
    arms = [
        _run(study, source, out, "arm", name, seed)
        for seed in study.seeds
        for name in study.arms
        if seed in _seeds(study, source, name)
    ]
    runs = [*_needed(stages, arms), *arms]
    _all_there(runs, source)
    return _ordered(runs, source)


def _all_there(runs: list[StudyRun], source: Path) -> None:
    keys = {run.key for run in runs}
    for run in runs:
        if absent := [need for need in run.needs if need not in keys]:
            raise SettingsError(
                f"{source} [{run.role}s.{run.name}]: needs {absent[0]}, which its own seeds leave"
                " out.\n  Give both the same seeds."
            )


def _seeds(study: Study, source: Path, name: str) -> tuple[int, ...]:
    """The seeds an arm is trained for: the study's, or those it names of them."""
    seeds = run_named(study.arms, name, f"{source} [arms.{name}]").get(SEEDS, study.seeds)
    if not isinstance(seeds, list | tuple) or not seeds or not set(seeds) <= set(study.seeds):
        raise SettingsError(
            f"{source} [arms.{name}]: seeds = {seeds}: some of the study's seeds"
            f" {list(study.seeds)} are expected."
        )
    return tuple(seeds)


def _needed(stages: list[StudyRun], arms: list[StudyRun]) -> list[StudyRun]:
    """The stages that an arm needs, or a stage that is needed."""
    by_key = {stage.key: stage for stage in stages}
    wanted = [need for arm in arms for need in arm.needs]
    found: set[str] = set()
    while wanted:
        key = wanted.pop()
        if key in by_key and key not in found:
            found.add(key)
            wanted += by_key[key].needs
    return [stage for stage in stages if stage.key in found]


def _run(study: Study, source: Path, out: Path, role: Role, name: str, seed: int) -> StudyRun:
    where = f"{source} [{role}s.{name}]"
    own = run_named(study.stages if role == "stage" else study.arms, name, where)
    own.pop(SEEDS, None)
    tree = merged(study.shared, study.arm) if role == "arm" else dict(study.shared)
    tree = merged(tree, own) | {"name": name, "seed": seed}
    named = {place: run for place in WITH_A_PATH if (run := reference(tree, place)) is not None}
    for place, run in named.items():
        if run not in study.stages and run not in study.arms:
            known = ", ".join([*study.stages, *study.arms])
            raise SettingsError(f"{where}: @{run} is no run of this study ({known}).")
        tree = replaced(tree, place, (out / f"seed_{seed}" / run).resolve())
    recipe = parse_recipe(tree, where)
    return StudyRun(
        name=name,
        role=role,
        seed=seed,
        folder=out / f"seed_{seed}" / name,
        recipe=recipe,
        student=named.get(("student",)) or recipe.student.place,
        teacher=named.get(("teacher",)) or (recipe.teacher.place if recipe.teacher else None),
        needs=tuple(dict.fromkeys(f"seed_{seed}/{run}" for run in named.values())),
    )


def _ordered(runs: list[StudyRun], source: Path) -> list[StudyRun]:
    ordered: list[StudyRun] = []
    waiting = list(runs)
    while waiting:
        placed = {run.key for run in ordered}
        ready = [run for run in waiting if placed.issuperset(run.needs)]
        if not ready:
            ring = ", ".join(run.name for run in waiting)
            raise SettingsError(f"{source}: these runs need each other in a ring: {ring}.")
        ordered += ready
        waiting = [run for run in waiting if run not in ready]
    return ordered
