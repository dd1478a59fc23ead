"""Where in the network arms differ: rotation and spectral shift by layer and by module."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal

import numpy as np
import pandas as pd

from hodograph.modules import LINEAR
from hodograph.orderings.metrics import ORDERED, Ordered, stored
from hodograph.orderings.words import capital
from hodograph.report import comparison_figures as figures
from hodograph.report.names import null_of
from hodograph.report.read import Measurement
from hodograph.report.style import draw, looks
from hodograph.report.trajectories import Arms, seen_in, storages
from hodograph.report.views import Figure, Panel

_WIDTH, _HEIGHT = 420, 250
_METRICS = ("angle_right_mean", "nss")
_ACROSS: tuple[tuple[Literal["layer", "module"], str], ...] = (
    ("layer", "layer, mean over modules"),
    ("module", "module, mean over layers"),
)


def profiles(arms: Arms, ident: str) -> list[Figure]:
    """Return, for each metric with a value, its panels by layer and by module."""
    found = [_figure(arms, metric, ident) for metric in ORDERED if metric.column in _METRICS]
    return [figure for figure in found if figure is not None]


def profile_of(
    runs: Sequence[Measurement], metric: str, by: Literal["layer", "module"]
) -> pd.DataFrame:
    """Return place, mean, low, high, null at the last step as stored; low and high over seeds.

    Matrices outside the layers have no place. With one seed low and high are missing.
    """
    seeds = [_places(run, metric, by) for run in runs]
    joined = pd.concat(seeds).groupby("place", sort=False)
    table = joined.agg(mean=("value", "mean"), low=("value", "min"), high=("value", "max"),
                       null=("null", "mean")).reset_index()  # fmt: skip
    if len(runs) == 1:
        table[["low", "high"]] = np.nan
    return table.sort_values("place", key=lambda places: places.map(_rank), ignore_index=True)


def _places(run: Measurement, metric: str, by: str) -> pd.DataFrame:
    rows = run.rows(stored(run.table), run.steps[-1])
    rows = rows[rows[metric].notna() & rows["layer"].notna()]
    null = null_of(metric)
    nulls = rows[null] if null is not None else pd.Series(np.nan, rows.index)
    place = rows["module"].str.removesuffix("_proj") if by == "module" else rows["layer"]
    table = pd.DataFrame({"place": place, "value": rows[metric], "null": nulls.astype(float)})
    return table.groupby("place", sort=False, as_index=False).mean()


def _rank(place: object) -> float:
    """Layers by their number, modules in the order data flows through them."""
    known = [module.removesuffix("_proj") for module in LINEAR]
    if isinstance(place, str):
        return float(known.index(place)) if place in known else float(len(known))
    return float(str(place))


def _figure(arms: Arms, metric: Ordered, ident: str) -> Figure | None:
    panels, bands, nulls = [], False, False
    for by, across in _ACROSS:
        parts = [profile_of(runs, metric.column, by).assign(arm=name)
                 for name, runs in arms.items()]  # fmt: skip
        table = pd.concat(parts, ignore_index=True)
        if table.empty:
            return None
        plot = partial(figures.profile, table, looks=looks(arms), metric=metric, across=across)
        svg = draw(plot, name=f"{ident}{metric.column}-{by}", width=_WIDTH, height=_HEIGHT,
                   label=f"{capital(metric.title)} by {across}, one line an arm")  # fmt: skip
        panels.append(Panel(svg, _WIDTH, f"by {by}", figures.unit_of(metric)))
        bands |= bool(table["low"].notna().any())
        nulls |= bool(table["null"].notna().any())
    caption = f"At the last step, {seen_in(storages(arms)[0])}."
    if nulls:
        caption += " Dotted: an isotropic update of the same norm, so what size alone gives."
    caption += " Band: the range over seeds." if bands else " One seed: no band."
    return Figure(f"{capital(metric.title)} by layer and module", caption, panels)
