"""From a study to its runs: recipes resolved, folders given, dependencies known."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hodograph.errors import SettingsError
from hodograph.recipes import Recipe, merged, parse_recipe, resolve_paths
from hodograph.studies.study import Study, Tree

Role = Literal["stage", "arm"]
MODELS = ("student", "teacher")


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


def plan(study: Study, source: Path, out: Path) -> list[StudyRun]:
    """Every run of the study, stages before arms, each after what it needs.

    Args:
        study: as loaded.
        source: the study's file, for messages and relative paths.
        out: the study's folder.

    Raises:
        SettingsError: a recipe is wrong, names an unknown run, or runs need each other in a ring.
    """
    runs = [
        _run(study, source, out, role, name, seed)
        for seed in study.seeds
        for role, members in (("stage", study.stages), ("arm", study.arms))
        for name in members
    ]
    return _ordered(runs, source)


def _run(study: Study, source: Path, out: Path, role: Role, name: str, seed: int) -> StudyRun:
    own = (study.stages if role == "stage" else study.arms)[name]
    tree = merged(study.shared, study.arm) if role == "arm" else dict(study.shared)
    tree = merged(tree, own) | {"name": name, "seed": seed}
    where = f"{source} [{role}s.{name}]"
    origins = {model: _origin(tree, model) for model in MODELS}
    needs = [origin.removeprefix("@") for origin in origins.values() if origin.startswith("@")]
    unknown = [need for need in needs if need not in study.stages and need not in study.arms]
    if unknown:
        known = ", ".join([*study.stages, *study.arms])
        raise SettingsError(f"{where}: @{unknown[0]} is no run of this study ({known}).")
    recipe = parse_recipe(_located(tree, out / f"seed_{seed}", source.parent), where)
    return StudyRun(
        name=name,
        role=role,
        seed=seed,
        folder=out / f"seed_{seed}" / name,
        recipe=recipe,
        student=origins["student"].removeprefix("@") or "random weights",
        teacher=origins["teacher"].removeprefix("@") or None,
        needs=tuple(f"seed_{seed}/{need}" for need in needs),
    )


def _origin(tree: Tree, model: str) -> str:
    section = tree.get(model)
    path = section.get("path", "") if isinstance(section, dict) else ""
    return path if isinstance(path, str) else ""


def _located(tree: Tree, seed_folder: Path, source_folder: Path) -> Tree:
    """Replace @names by run folders; other relative paths start from the study's file."""
    out = dict(tree)
    for model in MODELS:
        origin = _origin(tree, model)
        if origin.startswith("@"):
            path = (seed_folder / origin.removeprefix("@")).resolve()
            out[model] = {**tree[model], "path": str(path)}
    return resolve_paths(out, source_folder)


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
