"""What the missing part of a study will take, judged by what its finished part took.

Training takes steps times seconds a step. Seconds a step are those of the run itself, else the
mean over its other seeds, else its operations times the median seconds an operation of the runs
that are there (of its kind, supervised or on-policy, where there is one), else its operations at
the speed of one large matrix product, which no run exceeds. Operations are counted as in
`hodograph.training.plan`. Measuring takes the median seconds a checkpoint of the arms that were
measured; an account of the gates, the median of those that are there.
"""

from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from statistics import fmean, median
from typing import Literal

from huggingface_hub import constants

from hodograph.errors import HodographError
from hodograph.recipes import Recipe
from hodograph.studies.gates import GatesSection
from hodograph.studies.kept import Kept, kept
from hodograph.studies.plan import StudyRun
from hodograph.studies.schedule import time_of_all
from hodograph.training.plan import TrainingPlan, plan_training

Basis = Literal["measured", "scaled", "least", "unknown"]
OnPlanned = Callable[[int, int], None]
BYTES = {"float32": 4, "bfloat16": 2}
SPEEDLESS = {  # keys that do not change the operations of a step
    "name", "seed", "steps", "optimizer", "save", "evaluation", "stop", "monitor",
}  # fmt: skip


@dataclass(frozen=True)
class RunEstimate:
    """What is left of one run.

    Attributes:
        run: which.
        kept: what is there of it.
        training: seconds of training left; None where nothing is known.
        basis: where `training` comes from: "measured" on the run or its other seeds, "scaled" by
            operations from other runs, "least" at the speed of a matrix product, or "unknown".
        measuring: seconds of measuring left; None where no arm was measured yet.
        size: bytes of the checkpoints still to be written; None where the model is not known.
        why: why the model is not known.
        gated: whether the study measures its gates.
        gates: seconds of measuring its gates left; None where no arm's were measured yet.
    """

    run: StudyRun
    kept: Kept
    training: float | None
    basis: Basis
    measuring: float | None
    size: int | None
    why: str | None
    gated: bool = False
    gates: float | None = 0.0

    @property
    def seconds(self) -> float:
        """Seconds left, of what is known."""
        return self.until_measured + (self.gates or 0.0)

    @property
    def until_measured(self) -> float:
        """Seconds of training and measuring left, of what is known."""
        return (self.training or 0.0) + (self.measuring or 0.0)


@dataclass(frozen=True)
class StudyEstimate:
    """What is left of a study.

    Attributes:
        runs: in the order of the plan.
        workers: processes that share the work.
        wall: seconds until the last of them ends, of what is known.
    """

    runs: list[RunEstimate]
    workers: int
    wall: float


def estimate_study(
    runs: list[StudyRun],
    workers: int,
    on_planned: OnPlanned,
    gates: GatesSection | None = None,
) -> StudyEstimate:
    """Estimate what is left of a study; nothing is trained, fetched or written.

    Args:
        runs: as planned.
        workers: processes that will share the work.
        on_planned: called with (runs looked at, runs).
        gates: whose gates the study measures; none by default.

    Raises:
        StorageError: a file of a run's folder is damaged.
        SettingsError: the gates' teacher is no run of the study.
    """
    there = {run.key: kept(run) for run in runs}
    plans = _planned(runs, on_planned)
    speed = _Speed(runs, there, plans)
    a_checkpoint = _measuring_a_checkpoint(runs, there)
    found = [_estimated(run, there[run.key], plans[run.key], speed, a_checkpoint) for run in runs]
    if gates is not None:
        found = _with_gates(found, gates)
    return StudyEstimate(found, workers, _wall(found, gates, workers))


def _with_gates(found: list[RunEstimate], gates: GatesSection) -> list[RunEstimate]:
    """The same with what is left of the gates: the median of the accounts that are there."""
    seen = [one.kept.gates for one in found if one.kept.gates is not None]
    left = median(seen) if seen else None
    return [
        replace(one, gated=True, gates=left if one.kept.gates is None else 0.0)
        if gates.applies_to(one.run)
        else one
        for one in found
    ]


def _wall(found: list[RunEstimate], gates: GatesSection | None, workers: int) -> float:
    """Seconds until the last worker process ends; gates wait for their run and its teacher."""
    runs = [one.run for one in found]
    seconds, needs = dict[str, float](), dict[str, tuple[str, ...]]()
    for one in found:
        key = one.run.key
        if one.until_measured:
            seconds[key], needs[key] = one.until_measured, one.run.needs
        if gates is not None and one.gates:
            teacher = gates.teacher_of(one.run, runs)
            name = f"gates {key}"
            seconds[name] = one.gates
            needs[name] = (key,) if teacher is None else (key, teacher.key)
    return time_of_all(seconds, needs, workers)


def _planned(runs: list[StudyRun], on_planned: OnPlanned) -> dict[str, TrainingPlan | str]:
    """The plan of each run, or why there is none; runs of one shape are planned once."""
    by_key = {run.key: run for run in runs}
    by_shape: dict[str, TrainingPlan | str] = {}
    plans: dict[str, TrainingPlan | str] = {}
    for done, run in enumerate(runs, start=1):
        recipe = _grounded(run, by_key)
        shape = repr([value for key, value in recipe if key not in SPEEDLESS])
        if shape not in by_shape:
            by_shape[shape] = _plan(recipe)
        plans[run.key] = by_shape[shape]
        on_planned(done, len(runs))
    return plans


def _grounded(run: StudyRun, by_key: Mapping[str, StudyRun]) -> Recipe:
    """The run's recipe, its models those that the runs it needs begin with."""
    changes = {}
    for role, name in (("student", run.student), ("teacher", run.teacher)):
        other = by_key.get(f"seed_{run.seed}/{name}")
        while other is not None:
            changes[role] = other.recipe.student
            other = by_key.get(f"seed_{run.seed}/{other.student}")
    return run.recipe.model_copy(update=changes)


def _plan(recipe: Recipe) -> TrainingPlan | str:
    try:
        with _offline():
            return plan_training(recipe)
    except HodographError as error:
        return str(error).partition("\n")[0]


@contextmanager
def _offline():
    """Take from the hub's cache alone."""
    before, constants.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE, True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


class _Speed:
    """Seconds a step, from what is known best."""

    def __init__(
        self,
        runs: list[StudyRun],
        there: Mapping[str, Kept],
        plans: Mapping[str, TrainingPlan | str],
    ) -> None:
        self._by_name: dict[str, list[float]] = {}
        self._an_operation: dict[bool, list[float]] = {True: [], False: []}
        for run in runs:
            seconds, plan = there[run.key].seconds_a_step, plans[run.key]
            if seconds is None:
                continue
            self._by_name.setdefault(run.name, []).append(seconds)
            if not isinstance(plan, str):
                self._an_operation[run.recipe.on_policy].append(seconds / sum(plan.flops.values()))

    def of(
        self, run: StudyRun, own: float | None, plan: TrainingPlan | str
    ) -> tuple[float | None, Basis]:
        """Seconds a step of a run, and where they come from."""
        if own is not None:
            return own, "measured"
        if run.name in self._by_name:
            return fmean(self._by_name[run.name]), "measured"
        if isinstance(plan, str):
            return None, "unknown"
        seen = (
            self._an_operation[run.recipe.on_policy] or self._an_operation[not run.recipe.on_policy]
        )
        if seen:
            return median(seen) * sum(plan.flops.values()), "scaled"
        return plan.seconds, "least"


def _estimated(
    run: StudyRun,
    there: Kept,
    plan: TrainingPlan | str,
    speed: _Speed,
    a_checkpoint: float | None,
) -> RunEstimate:
    a_step, basis = speed.of(run, there.seconds_a_step, plan)
    left = 0 if there.finished else run.recipe.steps - there.step
    measured = there.measured or run.role == "stage"
    measuring = None if a_checkpoint is None else a_checkpoint * (_checkpoints(run.recipe) - 1)
    why = plan if isinstance(plan, str) else None
    return RunEstimate(
        run=run,
        kept=there,
        training=0.0 if not left else a_step and a_step * left,
        basis=basis,
        measuring=0.0 if measured else measuring,
        size=0 if there.finished else _bytes_left(run.recipe, there, plan),
        why=why if left else None,
    )


def _bytes_left(recipe: Recipe, there: Kept, plan: TrainingPlan | str) -> int | None:
    if isinstance(plan, str):
        return None
    whole = plan.student * BYTES[recipe.save.dtype] * _checkpoints(recipe)
    return max(0, whole - there.size)


def _checkpoints(recipe: Recipe) -> int:
    return len({0, *recipe.save.steps, recipe.steps})


def _measuring_a_checkpoint(runs: list[StudyRun], there: Mapping[str, Kept]) -> float | None:
    """Median seconds of measuring one checkpoint against W0, over the arms that were measured."""
    seen = [
        seconds / max(1, _checkpoints(run.recipe) - 1)
        for run in runs
        if (seconds := there[run.key].measuring) is not None
    ]
    return median(seen) if seen else None
