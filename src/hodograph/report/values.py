"""Every run of a question at its last step: one mark a seed, beside what its null gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd

from hodograph.modules import ATTENTION
from hodograph.orderings.metrics import ORDERED, Ordered, stored
from hodograph.orderings.words import capital, written
from hodograph.report import comparison_figures as figures
from hodograph.report.names import null_of
from hodograph.report.origins import Arm
from hodograph.report.questions import Asked, Compared
from hodograph.report.style import draw, looks
from hodograph.report.trajectories import seen_in, storages
from hodograph.report.views import Body, Cell, Figure, Head, Panel, Table, absent

ACCURACY = Ordered("accuracy", "accuracy", "size", 100, " %", " points")
METRICS = {metric.column: metric for metric in (ACCURACY, *ORDERED)}
"""What a question may draw of its arms at their last step."""
NULLS = {
    "accuracy": "the accuracy at the start",
    "update_sparsity": "the update permuted within its matrix",
    "overlap_principal_30": "the update permuted within its matrix",
    "overlap_low_30": "the update permuted within its matrix",
    "kappa": "a random walk",
    "angle_left_mean": "an isotropic update of the same norm",
    "angle_right_mean": "an isotropic update of the same norm",
    "nss": "an isotropic update of the same norm",
    "principal_energy_right_16": "an isotropic update",
}
_WIDTH, _ROW, _MARGIN = 370, 17, 78
Values = Mapping[str, pd.DataFrame]
"""For each metric its last values."""


def last_values(comparisons: Sequence[Compared], metric: Ordered) -> pd.DataFrame:
    """Return a row for each run with a value: comparison, arm, seed, value, null.

    A comparison is named by its title. A value is the mean over matrices at the last step, as
    stored: over attention alone, or weighted by parameters, where the metric has it so. The null of
    an accuracy is that of the start.
    """
    rows = [
        (one.title, arm.name, seed, value, null)
        for one in comparisons
        for arm in one.arms
        for seed, value, null in _of_arm(arm, metric)
    ]
    return pd.DataFrame(rows, columns=["comparison", "arm", "seed", "value", "null"])


def _of_arm(arm: Arm, metric: Ordered) -> Iterator[tuple[int, float, float]]:
    if metric is ACCURACY:
        for run in arm.runs:
            if run.accuracy.end is not None:
                start = run.accuracy.start
                yield run.seed, run.accuracy.end, np.nan if start is None else start
        return
    for seed, measurement in arm.measurements.items():
        rows = measurement.rows(stored(measurement.table), measurement.steps[-1])
        attention = rows["module"].isin(ATTENTION)
        if metric.attention and attention.any():
            rows = rows[attention]
        value = _mean(rows, metric.column, metric)
        if not np.isnan(value):
            yield seed, value, _mean(rows, null_of(metric.column), metric)


def _mean(rows: pd.DataFrame, column: str | None, metric: Ordered) -> float:
    """Mean over the matrices that have a value, NaN where none has."""
    kept = rows[rows[column].notna()] if column is not None else rows[:0]
    if kept.empty:
        return np.nan
    weights = (kept["rows"] * kept["cols"]).to_numpy(float) if metric.weighted else None
    return float(np.average(kept[column].to_numpy(float), weights=weights))


def values_figure(question: Asked) -> Figure | None:
    """Return one panel a metric, with all arms of the question under each other."""
    tables = {name: last_values(question.comparisons, METRICS[name]) for name in question.values}
    values = {name: table for name, table in tables.items() if len(table)}
    if not values:
        return None
    panels = [_panel(question, METRICS[name], table) for name, table in values.items()]
    return Figure(
        "Values at the last step", _caption(question, values), panels, _table(question, values)
    )


def _panel(question: Asked, metric: Ordered, table: pd.DataFrame) -> Panel:
    how = {one.title: looks(arm.name for arm in one.arms) for one in question.comparisons}
    means = table.groupby(["comparison", "arm"], sort=False)["value"].mean().reset_index()
    said = "; ".join(
        f"{arm} {written(float(mean), metric.scale)}{metric.unit}"
        for arm, mean in zip(means["arm"], means["value"], strict=True)
    )
    svg = draw(
        partial(figures.dots, table, looks=how, metric=metric),
        name=f"{question.ident}-values-{metric.column}",
        label=f"{capital(metric.title)} at the last step: {said}",
        width=_WIDTH,
        height=_MARGIN + _ROW * figures.lines_of(table),
    )
    return Panel(svg, _WIDTH, capital(metric.title), figures.unit_of(metric))


def _caption(question: Asked, values: Values) -> str:
    seeds = max(table.groupby(["comparison", "arm"])["seed"].nunique().max()
                for table in values.values())  # fmt: skip
    marks = "Large: mean over seeds; small: each seed; line: their range."
    caption = marks if seeds > 1 else "One seed an arm, so without a range."
    nulls = dict.fromkeys(
        NULLS[name] for name, table in values.items() if table["null"].notna().any()
    )
    if nulls:
        caption += f" Upright stroke: the null, which is {'; '.join(nulls)}."
    seen = storages({k: v for one in question.comparisons for k, v in one.measured.items()})
    if seen and any(METRICS[name].kind == "spectral" for name in values):
        caption += f" Spectra and angles are {seen_in(seen[0])}."
    return caption


def _table(question: Asked, values: Values) -> Table:
    """Each seed by itself: value, and its null below."""
    heads = [Head("arm", words=True), Head("seed")]
    heads += [Head(capital(METRICS[name].title), METRICS[name].unit.strip()) for name in values]
    keyed = {
        name: dict(zip(
            zip(table["comparison"], table["arm"], table["seed"], strict=True),
            zip(table["value"], table["null"], strict=True), strict=True))
        for name, table in values.items()
    }  # fmt: skip
    bodies: dict[str, list[list[Cell]]] = {}
    for key in dict.fromkeys(key for found in keyed.values() for key in found):
        comparison, arm, seed = key
        cells = [_cell(found.get(key), METRICS[name]) for name, found in keyed.items()]
        row = [Cell(arm, header=True, words=True), Cell(str(seed)), *cells]
        bodies.setdefault(comparison, []).append(row)
    parts = [Body(rows, name) for name, rows in bodies.items()]
    return Table("Each seed by itself", heads, parts, f"{question.ident}-values")


def _cell(found: tuple[float, float] | None, metric: Ordered) -> Cell:
    if found is None:
        return absent("this run has no value")
    value, null = found
    below = () if np.isnan(null) else (f"null {written(null, metric.scale)}",)
    return Cell(written(value, metric.scale), below)
