"""The page of a study: arms beside each other, grouped by the W0 they start from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hodograph.claims.row import read_ledger
from hodograph.orderings.ordering import Ordering, record
from hodograph.report.comparison import accuracy_cell, budget_cell
from hodograph.report.explorer.values import ExploredRun
from hodograph.report.gates import study_gates
from hodograph.report.ledger import claims, ledger_table
from hodograph.report.made import study_made
from hodograph.report.numbers import DASH, accuracy
from hodograph.report.orderings import judged
from hodograph.report.origins import Arm, Origin, origins, short
from hodograph.report.question_view import question_views
from hodograph.report.questions import asked, comparison_orderings, not_run
from hodograph.report.read import Run, Study, read_measurement, read_study
from hodograph.report.summary import lead
from hodograph.report.views import Body, Cell, Head, Table


def study_view(folder: Path, study: Study) -> dict[str, Any]:
    """Return everything the study template shows; reads the measurement of each run.

    Raises:
        StorageError: A measurement the study names, or the ledger, is missing or corrupt.
    """
    arms = _arms(folder, study)
    questions = asked(study, arms)
    by_comparison = comparison_orderings(questions)
    found = claims(read_ledger(folder))
    together = _together(by_comparison)
    return {
        "study": study,
        "made": study_made(study),
        "warnings": _warnings(study, arms),
        "notes": [*_cautions(study, arms), *study.notes],
        "lead": lead(by_comparison, found),
        "questions": question_views(questions, by_comparison, found),
        "claims": found,
        "claims_table": ledger_table(found) if found else None,
        "judged": judged(together) if together else "",
        "ordered": record(together),
        "gates": study_gates(folder, study.runs),
        "runs": runs_table(folder, study),
        "explored": explored_runs(origins(arms)),
    }


def study_orderings(folder: Path) -> dict[str, list[Ordering]]:
    """Return the orderings of a study's measured arms, by comparison and the W0 they start from.

    Raises:
        StorageError: `study.json` or a measurement it names is missing or corrupt.
    """
    study = read_study(folder)
    return _together(comparison_orderings(asked(study, _arms(folder, study))))


def _together(by_comparison: dict[str, dict[str, list[Ordering]]]) -> dict[str, list[Ordering]]:
    return {label: found for one in by_comparison.values() for label, found in one.items()}


def explored_runs(groups: Sequence[Origin]) -> list[ExploredRun]:
    """Return every measured run under the W0 it starts from, for the explorer."""
    return [
        ExploredRun(arm.name, seed, group.label, measurement)
        for group in groups
        for arm in group.arms
        for seed, measurement in arm.measurements.items()
    ]


def _arms(folder: Path, study: Study) -> list[Arm]:
    names = dict.fromkeys(run.name for run in study.runs if run.role == "arm")
    return [_arm(folder, name, study.runs) for name in names]


def _arm(folder: Path, name: str, runs: list[Run]) -> Arm:
    own = tuple(run for run in runs if run.role == "arm" and run.name == name)
    found = {run.seed: read_measurement(folder / run.measurement) for run in own if run.measurement}
    return Arm(name, own, found)


def _warnings(study: Study, arms: list[Arm]) -> list[str]:
    failed = [f"{run} failed: {why}" for run, why in study.failures.items()]
    return failed + [
        f"{arm.name}, seed {seed}: {warning}"
        for arm in arms
        for seed, measurement in arm.measurements.items()
        for warning in measurement.summary.warnings
    ]


def _cautions(study: Study, arms: list[Arm]) -> list[str]:
    notes, groups = [], origins(arms)
    if len(study.seeds) == 1:
        notes.append("One seed: no interval over seeds. Bands are over layers of one run each.")
    if len(groups) > 1:
        notes.append(
            f"The arms start from {len(groups)} different W0. They are grouped by it: values are "
            "comparable within a group, not across."
        )
    if missing := not_run(study, arms):
        notes.append(f"Asked about but not run, so absent below: {', '.join(missing)}.")
    absent = [
        f"{run.name} (seed {run.seed})"
        for run in study.runs
        if run.role == "arm" and run.measurement is None
    ]
    if absent:
        notes.append(f"Not measured, so shown with accuracy alone: {', '.join(absent)}.")
    return notes


def runs_table(folder: Path, study: Study) -> Table:
    """Return every run, stages first: what it was trained from, on what, and its accuracy."""
    heads = [
        Head("run"),
        Head("seed"),
        Head("objective", words=True),
        Head("from", "W0", words=True),
        Head("teacher", words=True),
        Head("task", words=True),
        Head("budget", "steps × learning rate"),
        Head("accuracy", "sampled, start → end, %"),
        Head("greedy accuracy", "start → end, %"),
    ]
    bodies = [
        Body([_run_row(folder, run) for run in study.runs if run.role == role], label)
        for role, label in (("stage", "Stages"), ("arm", "Arms"))
    ]
    return Table("Runs and their accuracies", heads, [body for body in bodies if body.rows], "runs")


def _run_row(folder: Path, run: Run) -> list[Cell]:
    page = f"{run.measurement}/report.html" if run.measurement else ""
    link = page if page and (folder / page).exists() else ""
    return [
        Cell(run.name, link=link, header=True, words=True),
        Cell(str(run.seed)),
        Cell(run.objective, words=True),
        Cell(run.student or DASH, below=(short(run.w0_digest),) if run.w0_digest else (),
             title="" if run.student else "initialised, not trained from another run", words=True),
        Cell(run.teacher or DASH, title="" if run.teacher else "no teacher", words=True),
        Cell(run.task or DASH, title="" if run.task else "no task", words=True),
        budget_cell([run]),
        accuracy_cell([run]),
        _greedy_cell(run),
    ]  # fmt: skip


def _greedy_cell(run: Run) -> Cell:
    start, end = run.accuracy.greedy_start, run.accuracy.greedy_end
    if start is None and end is None:
        return Cell(DASH, title="greedy accuracy was not evaluated")
    return Cell(" → ".join(DASH if value is None else accuracy(value) for value in (start, end)))
