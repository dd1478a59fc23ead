"""Figures of a few arms beside each other: each draws a table on an Axes, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from hodograph.orderings.metrics import Ordered
from hodograph.report.style import INK, MUTED, Look

_SHARE = FuncFormatter(lambda value, _: f"{100 * value:g}")


def unit_of(metric: Ordered) -> str:
    """Return the unit as an axis says it."""
    unit = metric.unit.strip()
    return "degrees" if unit == "°" else unit


def lines_of(table: pd.DataFrame) -> int:
    """Return how many lines `dots` needs: one an arm, and one for each title of a comparison."""
    arms = table.groupby(["comparison", "arm"]).ngroups
    titles = [title for title in table["comparison"].unique() if title]
    return arms + len(titles)


def dots(
    table: pd.DataFrame, axes: Axes, *, looks: Mapping[str, Mapping[str, Look]], metric: Ordered
) -> Axes:
    """Draw each arm in a line of its own: its seeds, their mean and range, and its null.

    Args:
        table: Columns comparison, arm, seed, value, null.
        axes: Where to draw.
        looks: How each arm of each comparison is drawn.
        metric: How its values are written.
    """
    shown = table.assign(value=table["value"] * metric.scale, null=table["null"] * metric.scale)
    line, places, names = 0, [], []
    for title, arms in shown.groupby("comparison", sort=False):
        if title:
            axes.annotate(str(title), (0, line), (2, 0), xycoords=("figure fraction", "data"),
                          textcoords="offset points", va="center", fontsize=9.5, color=MUTED,
                          annotation_clip=False, in_layout=False)  # fmt: skip
            line += 1
        for arm, runs in arms.groupby("arm", sort=False):
            _dot(runs, axes, line, looks[str(title)][str(arm)])
            places.append(line)
            names.append(str(arm))
            line += 1
    axes.set_yticks(places, names)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(line - 0.4, -0.6)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.set_xlabel(unit_of(metric) or metric.title)
    return axes


def _dot(runs: pd.DataFrame, axes: Axes, line: int, look: Look) -> None:
    values = runs["value"]
    axes.plot([values.min(), values.max()], [line, line], color=look.colour, lw=1.4)
    if len(values) > 1:
        axes.plot(values, [line] * len(values), ls="", marker="o", ms=2.6, color=look.colour)
    axes.plot([values.mean()], [line], ls="", marker=look.marker, ms=6, color=look.colour)
    if runs["null"].notna().any():
        null = runs["null"].mean()
        axes.plot([null, null], [line - 0.36, line + 0.36], color=INK, lw=1.6)


def profile(
    table: pd.DataFrame, axes: Axes, *, looks: Mapping[str, Look], metric: Ordered, across: str
) -> Axes:
    """Draw a metric against the layer or the module: a line an arm with its band, nulls dotted.

    Args:
        table: Columns arm, place, mean, low, high, null; place is a layer or a module's name.
        axes: Where to draw.
        looks: How each arm is drawn.
        metric: How its values are written.
        across: What place is, as the axis says it.
    """
    places = list(dict.fromkeys(table["place"]))
    at = {place: index for index, place in enumerate(places)}
    for arm, points in table.groupby("arm", sort=False):
        look, x = looks[str(arm)], points["place"].map(at).to_numpy(float)
        scaled = points[["mean", "low", "high", "null"]].astype(float) * metric.scale
        axes.fill_between(x, scaled["low"], scaled["high"], color=look.colour, alpha=0.13, lw=0)
        axes.plot(x, scaled["mean"], color=look.colour, ls=look.line, marker=look.marker)
        if scaled["null"].notna().any():
            axes.plot(x, scaled["null"], color=look.colour, ls=":", lw=1.2)
    every = max(1, len(places) // 12)
    axes.set_xticks(range(0, len(places), every), [str(place) for place in places[::every]])
    axes.set_ylim(bottom=0)
    axes.set_xlabel(across)
    axes.set_ylabel(unit_of(metric))
    return axes


def overlap_against_density(
    table: pd.DataFrame, axes: Axes, *, looks: Mapping[str, Look], chance: float
) -> Axes:
    """Draw an overlap against the density of visible updates, a line an arm, nulls dotted.

    Args:
        table: Columns arm, step, density, overlap, null; one row a checkpoint, shares.
        axes: Where to draw.
        looks: How each arm is drawn.
        chance: The mask's share of the entries.
    """
    for arm, points in table.groupby("arm", sort=False):
        look, ordered = looks[str(arm)], points.sort_values("density")
        axes.plot(ordered["density"], ordered["overlap"], color=look.colour, ls="",
                  marker=look.marker)  # fmt: skip
        if ordered["null"].notna().any():
            axes.plot(ordered["density"], ordered["null"], color=look.colour, ls=":", lw=1.4)
    axes.axhline(chance, color=MUTED, ls="-", lw=0.8)
    axes.annotate("share of the mask", (0, chance), (4, 3), xycoords=("axes fraction", "data"),
                  textcoords="offset points", fontsize=10, color=MUTED)  # fmt: skip
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(_SHARE)
    values = table[["overlap", "null"]].to_numpy(float)
    low, high = np.nanmin([chance, np.nanmin(values)]), np.nanmax([chance, np.nanmax(values)])
    margin = 0.08 * (high - low) or 0.05
    axes.set_ylim(low - margin, high + margin)
    axes.set_xlabel("density: entries that visibly changed, %")
    axes.set_ylabel("overlap, %")
    return axes
