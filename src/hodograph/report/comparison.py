"""The comparison table of a study: arms down, in the manner of the paper's tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from hodograph.report.glossary import definition
from hodograph.report.lock import lock_cell
from hodograph.report.missing import why_missing
from hodograph.report.names import null_of, storage_free
from hodograph.report.numbers import DASH, accuracy, missing, percent, significant
from hodograph.report.origins import Arm
from hodograph.report.read import Checkpoint, Measurement, Run
from hodograph.report.series import attention_rows, doubt, trajectory
from hodograph.report.views import Body, Cell, Head, Table, absent


def _per_cent(value: float) -> str:
    return significant(100 * value)


def _thousandths(value: float) -> str:
    return significant(1000 * value)


@dataclass(frozen=True)
class _Measured:
    metric: str
    heading: str
    unit: str
    write: Callable[[float], str]


_MEASURED = (
    _Measured("update_sparsity", "update sparsity", "%", percent),
    _Measured("relative_norm", "relative norm", "%", _per_cent),
    _Measured("kappa", "κ", "", significant),
    _Measured("angle_right_mean", "principal angle, mean, right", "degrees", significant),
    _Measured("nss", "NSS", "× 10⁻³", _thousandths),
    _Measured("overlap_principal_30", "principal overlap α=.3", "%", percent),
    _Measured("overlap_low_30", "low-magn. overlap α=.3", "%", percent),
)


def comparison_table(groups: Sequence[tuple[str, Sequence[Arm]]], caption: str, name: str) -> Table:
    """Return a row for each arm and storage, under the heading of each group."""
    heads = [
        Head("arm", "objective, task", words=True),
        Head("budget", "steps × lr"),
        Head("accuracy", "start → end, %"),
        Head("seen in", words=True),
        *(Head(m.heading, m.unit, definition(m.metric)) for m in _MEASURED),
        Head("stable rank", "first → last, attention", definition("stable_rank")),
        Head("lock", title=definition("capture16"), words=True),
    ]
    bodies = [
        Body([row for arm in arms for row in _arm_rows(arm)], label) for label, arms in groups
    ]
    return Table(caption, heads, bodies, name)


def _arm_rows(arm: Arm) -> list[list[Cell]]:
    runs = list(arm.measurements.values())
    storages = list(dict.fromkeys(s for run in runs for s in run.storages))
    if not storages:
        reason = "this arm was not measured"
        return [_identity(arm, 1) + [absent(reason) for _ in range(len(_MEASURED) + 3)]]
    rows = []
    for place, storage in enumerate(storages):
        cells = _identity(arm, len(storages)) if place == 0 else []
        cells.append(Cell(storage, words=True))
        for measured in _MEASURED:
            if place == 0 or not storage_free(measured.metric):
                span = len(storages) if storage_free(measured.metric) else 1
                cells.append(_measured_cell(runs, storage, measured, span))
        rows.append([*cells, _stable_rank_cell(runs, storage), lock_cell(runs, storage)])
    return rows


def _identity(arm: Arm, rows: int) -> list[Cell]:
    first = arm.runs[0]
    return [
        Cell(
            arm.name,
            below=(", ".join(part for part in (first.objective, first.task) if part),),
            header=True,
            words=True,
            rows=rows,
        ),
        budget_cell(arm.runs, rows),
        accuracy_cell(arm.runs, rows),
    ]


def budget_cell(runs: Sequence[Run], rows: int = 1) -> Cell:
    """Return steps × learning rate, and below it their sum; every value where seeds differ."""
    texts = dict.fromkeys(_budget(run) for run in runs)
    sums = dict.fromkeys(
        f"Σ {significant(run.learning_rate_sum)}"
        for run in runs
        if run.learning_rate_sum is not None
    )
    return Cell("; ".join(texts), below=tuple(sums), rows=rows)


def _budget(run: Run) -> str:
    if run.steps is None or run.learning_rate is None:
        return DASH
    return f"{run.steps} × {significant(run.learning_rate, 2)}"


def accuracy_cell(runs: Sequence[Run], rows: int = 1) -> Cell:
    """Return accuracy at the start and the end: of one run with its error, else mean and range."""
    ends = [run.accuracy.end for run in runs if run.accuracy.end is not None]
    starts = [run.accuracy.start for run in runs if run.accuracy.start is not None]
    if not ends and not starts:
        return Cell(DASH, title="accuracy was not evaluated", rows=rows)
    text = f"{_mean_accuracy(starts)} → {_mean_accuracy(ends)}"
    title = "" if starts and ends else f"the {'end' if starts else 'start'} was not evaluated; "
    if len(runs) > 1 and ends:
        return Cell(text, (_range(ends, accuracy),), f"{title}mean; range of the end", rows=rows)
    error = runs[0].accuracy.standard_error
    if error is None:
        return Cell(text, title=title.removesuffix("; "), rows=rows)
    below = (f"± {significant(100 * error, 2)}",)
    return Cell(text, below, f"{title}± one standard error over prompts", rows=rows)


def _mean_accuracy(values: Sequence[float]) -> str:
    return accuracy(sum(values) / len(values)) if values else DASH


def _range(values: Sequence[float], write: Callable[[float], str]) -> str:
    return f"{write(min(values))}–{write(max(values))}"


def _level(checkpoint: Checkpoint, metric: str) -> tuple[float | None, float | None]:
    """Value and null of a metric, both weighted by parameters or both plain means."""
    value, null = checkpoint.statistic(metric), checkpoint.statistic(null_of(metric) or "")
    weighted = value.weighted is not None and (null.n == 0 or null.weighted is not None)
    return (value.weighted, null.weighted) if weighted else (value.mean, null.mean)


def _measured_cell(
    runs: Sequence[Measurement], storage: str, measured: _Measured, span: int
) -> Cell:
    seen = [run for run in runs if storage in run.storages]
    levels = [_level(run.checkpoint(storage, run.steps[-1]), measured.metric) for run in seen]
    values = [value for value, _ in levels if value is not None]
    rows = pd.concat([run.rows(storage, run.steps[-1]) for run in seen])
    if not values:
        return Cell(DASH, title=why_missing(measured.metric, rows), rows=span)
    below = [_range(values, measured.write)] if len(values) > 1 else []
    if (null := null_of(measured.metric)) is not None:
        nulls = [level for _, level in levels if level is not None]
        mean = (
            measured.write(sum(nulls) / len(nulls))
            if nulls
            else f"{DASH} ({why_missing(null, rows)})"
        )
        below.append(f"null {mean}")
    text, flag = measured.write(sum(values) / len(values)), doubt(rows, measured.metric)
    return Cell(text, below=tuple(below), flag=flag, rows=span)


def _stable_rank_cell(runs: Sequence[Measurement], storage: str) -> Cell:
    ends, flags = [], []
    for run in runs:
        rows, _ = attention_rows(run.table[run.table["storage"] == storage])
        points = trajectory(rows, "stable_rank", interval=False)["mean"].tolist()
        ends += [(points[0], points[-1])] if points else []
        flags.append(doubt(rows[rows["step"] == run.steps[-1]], "stable_rank"))
    if not ends:
        return absent(why_missing("stable_rank", pd.concat([run.table for run in runs])))
    first, last = (sum(side) / len(ends) for side in zip(*ends, strict=True))
    below = (_range([last for _, last in ends], significant),) if len(ends) > 1 else ()
    flag = "; ".join(dict.fromkeys(flag for flag in flags if flag))
    return Cell(f"{significant(first)} → {significant(last)}", below=below, flag=flag)


def budgets_differ(arms: Sequence[Arm]) -> bool:
    """Say whether arms of one W0 spent different budgets, so that the objective is not alone."""
    sums = [run.learning_rate_sum for arm in arms for run in arm.runs]
    known = [value for value in sums if value is not None and not missing(value)]
    return len(known) > 1 and max(known) - min(known) > 1e-6 * max(known)
