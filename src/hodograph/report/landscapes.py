"""Heat-map figures: where in the network an update is, for one run or for each arm."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import pandas as pd

from hodograph.report.heatmap import grid, heat_map, size, write
from hodograph.report.names import HEAT_MAPS, TITLES, storage_free
from hodograph.report.numbers import missing
from hodograph.report.style import draw
from hodograph.report.trajectories import Arms, seen_in
from hodograph.report.views import Figure, Panel
from hodograph.tables.columns import BY_NAME


def heat_map_figures(arms: Arms) -> list[Figure]:
    """Return one figure a metric, one panel an arm, all panels of a metric in one colour scale."""
    found = [_figure(arms, metric) for metric in HEAT_MAPS]
    return [figure for figure in found if figure is not None]


def _last(arms: Arms) -> dict[str, pd.DataFrame]:
    return {
        name: pd.concat([run.rows(run.storages[0], run.steps[-1]) for run in runs])
        for name, runs in arms.items()
    }


def _figure(arms: Arms, metric: str) -> Figure | None:
    tables = {name: rows for name, rows in _last(arms).items() if rows[metric].notna().any()}
    if not tables:
        return None
    cells = {name: grid(rows, metric) for name, rows in tables.items()}
    limits = _limits(cells)
    panels = [_panel(name, index, cells[name], metric, limits) for index, name in enumerate(cells)]
    return Figure(TITLES[metric], _caption(arms, metric, sorted(set(arms) - set(cells))), panels)


def _limits(cells: Mapping[str, pd.DataFrame]) -> tuple[float, float]:
    values = np.concatenate([frame.to_numpy(float).ravel() for frame in cells.values()])
    return float(np.nanmin(values)), float(np.nanmax(values))


def _panel(
    name: str, index: int, cells: pd.DataFrame, metric: str, limits: tuple[float, float]
) -> Panel:
    width, height = size(cells)
    plot = partial(heat_map, cells, unit=BY_NAME[metric].unit, limits=limits)
    ident = f"heat-{metric}-{index}"
    svg = draw(plot, name=ident, label=_label(name, cells, metric), width=width, height=height)
    return Panel(svg, width, name)


def _label(name: str, cells: pd.DataFrame, metric: str) -> str:
    unit, values = BY_NAME[metric].unit, cells.to_numpy(float)
    per_cent = " %" if unit in ("share", "ratio") else ""

    def at(flat: np.intp) -> str:
        row, column = divmod(int(flat), values.shape[1])
        text = write(float(values[row, column]), unit) + per_cent
        return f"{text} in layer {cells.index[row]}, {cells.columns[column]}"

    of = f" of {name}" if name else ""
    low, high = at(np.nanargmin(values)), at(np.nanargmax(values))
    return f"{TITLES[metric]}{of} by layer and module: from {low} to {high}"


def _caption(arms: Arms, metric: str, without: list[str]) -> str:
    unit = BY_NAME[metric].unit
    shown = "%" if unit in ("share", "ratio") else unit
    first = next(iter(arms.values()))[0]
    caption = f"At the last step, {seen_in(first.storages[0])}" + (f"; {shown}." if shown else ".")
    if storage_free(metric):
        caption = f"At the last step; one value for every storage; {shown}."
    if len(arms) > 1:
        caption += " All panels share one colour scale."
    if max(len(runs) for runs in arms.values()) > 1:
        caption += " Mean over seeds."
    if any(not missing(expert) for expert in first.table["expert"].dropna().head(1)):
        caption += " Experts of one layer and module are averaged."
    if without:
        caption += f" No value: {', '.join(without)}."
    return caption
