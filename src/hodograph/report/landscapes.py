"""Heat-map figures: where in the network an update is, for one run or for each arm."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import pandas as pd
from scipy.special import ndtr

from hodograph.report.heatmap import grid, heat_map, size, write
from hodograph.report.names import CELL_TESTS, HEAT_MAPS, TITLES, storage_free
from hodograph.report.numbers import missing
from hodograph.report.style import draw
from hodograph.report.trajectories import Arms, seen_in
from hodograph.report.views import Figure, Panel
from hodograph.statistics.permutation import adjusted
from hodograph.tables.columns import BY_NAME

FALSE_SHARE = 0.05  # of the cells told apart from their null


def heat_map_figures(arms: Arms, ident: str = "") -> list[Figure]:
    """Return one figure a metric, one panel an arm, all panels of a metric in one colour scale."""
    found = [_figure(arms, metric, ident) for metric in HEAT_MAPS]
    return [figure for figure in found if figure is not None]


def _last(arms: Arms) -> dict[str, pd.DataFrame]:
    return {
        name: pd.concat([run.rows(run.storages[0], run.steps[-1]) for run in runs])
        for name, runs in arms.items()
    }


def _figure(arms: Arms, metric: str, ident: str) -> Figure | None:
    tables = {name: rows for name, rows in _last(arms).items() if rows[metric].notna().any()}
    if not tables:
        return None
    cells = {name: grid(rows, metric) for name, rows in tables.items()}
    limits = _limits(cells)
    starred = found_cells(tables, CELL_TESTS[metric]) if metric in CELL_TESTS else {}
    faint = {name: in_doubt(rows, metric) for name, rows in tables.items()}
    start = f"{ident}heat-{metric}"
    panels = [
        _panel(name, cells[name], metric, limits,
               {"starred": starred.get(name), "faint": faint[name]},
               f"{start}-{name}" if name else start)
        for name in cells
    ]  # fmt: skip
    caption = _caption(arms, metric, sorted(set(arms) - set(cells)))
    if starred:
        caption += _tested(starred, cells)
    if any(one is not None for one in faint.values()):
        caption += " Pale, with a question mark: too near the rounding noise of the storage."
    return Figure(TITLES[metric], caption, panels)


def found_cells(tables: Mapping[str, pd.DataFrame], column: str) -> dict[str, pd.DataFrame]:
    """Tell which cells differ from their null, 5 % false ones expected among those told.

    One matrix a cell gives a standard score, normal under its null; the scores of several seeds or
    experts are added over the root of their number (Stouffer, 1949). All cells of all panels are
    one family (Benjamini & Hochberg, 1995).
    """
    scores = {name: _scores(rows, column) for name, rows in tables.items()}
    flat = [cells.to_numpy(float).ravel() for cells in scores.values()]
    told = [q is not None and q <= FALSE_SHARE for q in adjusted([
        _two_sided(z) for z in np.concatenate(flat)])]  # fmt: skip
    parts = np.split(np.array(told), np.cumsum([len(part) for part in flat])[:-1])
    return {
        name: pd.DataFrame(part.reshape(cells.shape), cells.index, cells.columns)
        for (name, cells), part in zip(scores.items(), parts, strict=True)
    }


def _scores(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    count = grid(rows.assign(count=rows[column].notna().astype(float)), "count", how="sum")
    return grid(rows, column) * count**0.5


def _two_sided(z: float) -> float | None:
    return None if missing(z) else float(2 * ndtr(-abs(z)))


def in_doubt(rows: pd.DataFrame, metric: str) -> pd.DataFrame | None:
    """Tell which cells hold a matrix whose spectrum is in doubt; None where none does."""
    if BY_NAME[metric].family != "spectrum":
        return None
    doubted = rows.assign(doubted=rows["reliability"].isin(("caution", "poor")).astype(float))
    cells = grid(doubted, "doubted") > 0
    return cells if cells.to_numpy().any() else None


def _tested(starred: Mapping[str, pd.DataFrame], cells: Mapping[str, pd.DataFrame]) -> str:
    told = sum(int(one.to_numpy().sum()) for one in starred.values())
    total = sum(int(one.notna().to_numpy().sum()) for one in cells.values())
    return (
        f" * differs from 1 ({told} of {total} cells): two-sided z of the changes within each"
        " exponent of W0, Benjamini-Hochberg over all panels at 5 %. With many entries a small"
        " effect is told too: the ratio is the effect."
    )


def _limits(cells: Mapping[str, pd.DataFrame]) -> tuple[float, float]:
    values = np.concatenate([frame.to_numpy(float).ravel() for frame in cells.values()])
    return float(np.nanmin(values)), float(np.nanmax(values))


def _panel(
    name: str,
    cells: pd.DataFrame,
    metric: str,
    limits: tuple[float, float],
    marks: Mapping[str, pd.DataFrame | None],
    ident: str,
) -> Panel:
    width, height = size(cells)
    plot = partial(heat_map, cells, unit=_unit(metric), limits=limits, **marks)
    svg = draw(plot, name=ident, label=_label(name, cells, metric), width=width, height=height)
    mean = f"mean {write(float(np.nanmean(cells.to_numpy(float))), _unit(metric))}"
    return Panel(svg, width, f"{name}, {mean}" if name else mean, _shown(metric))


def _unit(metric: str) -> str:
    """Unit as cells are written in; an odds ratio is no share, and stays a plain number."""
    return "" if metric.endswith("_odds_ratio") else BY_NAME[metric].unit


def _shown(metric: str) -> str:
    unit = _unit(metric)
    return "%" if unit in ("share", "ratio") else unit


def _label(name: str, cells: pd.DataFrame, metric: str) -> str:
    unit, values = _unit(metric), cells.to_numpy(float)
    per_cent = " %" if unit in ("share", "ratio") else ""

    def at(flat: np.intp) -> str:
        row, column = divmod(int(flat), values.shape[1])
        text = write(float(values[row, column]), unit) + per_cent
        return f"{text} in layer {cells.index[row]}, {cells.columns[column]}"

    of = f" of {name}" if name else ""
    low, high = at(np.nanargmin(values)), at(np.nanargmax(values))
    return f"{TITLES[metric]}{of} by layer and module: from {low} to {high}"


def _caption(arms: Arms, metric: str, without: list[str]) -> str:
    shown = _shown(metric)
    first = next(iter(arms.values()))[0]
    caption = f"At the last step, {seen_in(first.storages[0])}" + (f"; {shown}." if shown else ".")
    if storage_free(metric):
        caption = "At the last step; one value for every storage" + (
            f"; {shown}." if shown else "."
        )
    if len(arms) > 1:
        caption += " All panels share one colour scale."
    if max(len(runs) for runs in arms.values()) > 1:
        caption += " Mean over seeds."
    if any(not missing(expert) for expert in first.table["expert"].dropna().head(1)):
        caption += " Experts of one layer and module are averaged."
    if without:
        caption += f" No value: {', '.join(without)}."
    return caption
