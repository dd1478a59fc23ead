"""Figures of one checkpoint: what bfloat16 shows of the update, and where it lands."""

from __future__ import annotations

from functools import partial

import pandas as pd

from hodograph.report import figures
from hodograph.report.names import OVERLAPS, TITLES
from hodograph.report.numbers import count, quantity
from hodograph.report.read import Measurement
from hodograph.report.style import draw
from hodograph.report.views import Figure, Panel


def checkpoint_figures(measurement: Measurement) -> list[Figure]:
    """Return ULP histogram, visibility curve and overlaps of the last step, those with a value."""
    storage, step = measurement.storages[0], measurement.steps[-1]
    rows = measurement.rows(storage, step)
    found = [_ulp_figure(rows, step), _visibility_figure(rows, step), _overlap_figure(rows, step)]
    return [figure for figure in found if figure is not None]


def _ulp_figure(rows: pd.DataFrame, step: int) -> Figure | None:
    if rows["ulp_0"].isna().any():
        return None
    plot = partial(figures.ulp_histogram, rows)
    svg = draw(
        plot,
        name="ulps",
        label="Shares of parameters by change in bfloat16 ULPs",
        width=420,
        height=260,
    )
    caption = f"Step {step}. All measured parameters; a change of 0 is one bfloat16 does not show."
    panel = Panel(svg, 420, unit="% of parameters")
    return Figure("How far bfloat16 values moved", caption, [panel])


def _visibility_figure(rows: pd.DataFrame, step: int) -> Figure | None:
    bins = figures.by_exponent(rows)
    if bins.empty or not (bins.index > 0).any():
        return None
    label = "Share of entries that visibly changed against the exponent of the weight"
    svg = draw(
        partial(figures.visibility_curve, rows),
        name="visibility",
        label=label,
        width=420,
        height=260,
    )
    tiny = bins[bins.index == 0]
    zeros = int(tiny["entries"].sum())
    caption = (
        f"Step {step}. Line: share of the entries with that exponent that visibly changed. "
        "Bars: share of all entries that have it; exponents with under 0.001 % are not drawn."
    )
    if zeros:
        changed = int(tiny["changed"].sum())
        caption += (
            f" Zeros and subnormals, not drawn: {count(zeros)}, of which {count(changed)} changed."
        )
    return Figure("Visibility by size of the weight", caption, [Panel(svg, 420, unit="%")])


def _overlap_figure(rows: pd.DataFrame, step: int) -> Figure | None:
    named = [name for name in OVERLAPS if rows[f"{name}_null"].notna().any()]
    if not named:
        return None
    plot = partial(figures.overlap_against_null, rows)
    label = "; ".join(
        f"{TITLES[name]} {quantity(rows[name].mean(), 'share')}, "
        f"null {quantity(rows[f'{name}_null'].mean(), 'share')}"
        for name in named
    )
    svg = draw(plot, name="overlaps", label=label, width=420, height=260)
    caption = (
        f"Step {step}. Dot: overlap, mean over matrices. Stroke: its mean after permuting the "
        "update within each matrix, with two standard deviations either way."
    )
    panel = Panel(svg, 420, unit="%")
    return Figure("Overlap with W0's masks, against its null", caption, [panel])
