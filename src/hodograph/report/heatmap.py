"""Heat maps of one metric over layer x module."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.ticker import FuncFormatter, MaxNLocator

from hodograph.modules import LINEAR
from hodograph.report.numbers import missing, percent, significant
from hodograph.report.style import INK, PAPER
from hodograph.report.words import Word, Words

COLOURS = colormaps["viridis"].resampled(48)  # under 50, matplotlib draws the bar as vectors
MOST_PRINTED = 300
OUTSIDE = -1


def grid(table: pd.DataFrame, metric: str, how: Literal["mean", "sum"] = "mean") -> pd.DataFrame:
    """Return layers x modules; experts of one place are averaged, layer -1 is outside the layers.

    Args:
        table: Matrices of one checkpoint in one storage; several runs are averaged as well.
        metric: The column.
        how: Whether matrices of one cell are averaged or added up.
    """
    layers = table["layer"].fillna(OUTSIDE).astype(int)
    cells = table.assign(layer=layers).pivot_table(
        metric, "layer", "module", aggfunc=how, dropna=False, observed=True
    )
    found = list(cells.columns)
    known = [module for module in LINEAR if module in found]
    return cells[known + sorted(set(found) - set(known))]


def size(cells: pd.DataFrame) -> tuple[int, int]:
    """Return the natural width and height of a heat map in CSS pixels."""
    layers, modules = cells.shape
    return 64 + 44 * max(modules, 4), 108 + max(14, min(24, 500 // max(layers, 1))) * layers


def write(value: float, unit: str) -> str:
    """Write one cell: per cent for shares and ratios, else three significant digits."""
    if unit == "share":
        return percent(value)
    return significant(100 * value if unit == "ratio" else value)


def heat_map(
    cells: pd.DataFrame,
    axes: Axes,
    *,
    unit: str,
    limits: tuple[float, float],
    starred: pd.DataFrame | None = None,
    faint: pd.DataFrame | None = None,
) -> Axes:
    """Draw layers down, modules across, values in the cells where they fit, and a colour bar.

    Args:
        cells: Layers x modules; a missing value is hatched.
        axes: Where to draw.
        unit: The column's unit; shares and ratios are shown in per cent.
        limits: The values at the ends of the colours; where they are equal, there is no colour bar.
        starred: Cells whose value gets a star.
        faint: Cells whose value is in doubt, paled and marked by a question mark.
    """
    low, high = limits
    norm = Normalize(low, high if high > low else low + 1)
    values = np.ma.masked_invalid(cells.to_numpy(float))
    mesh = axes.pcolormesh(values, cmap=COLOURS, norm=norm, ec=PAPER, lw=0.6)
    if faint is not None:
        axes.pcolormesh(np.ma.masked_where(~faint, np.ones(cells.shape)),
                        cmap=ListedColormap([PAPER]), alpha=0.65)  # fmt: skip
    axes.patch.set(hatch="////", facecolor="none")
    axes.set_xticks(np.arange(cells.shape[1]) + 0.5, [_short(name) for name in cells.columns])
    axes.set_yticks(*_layer_ticks(list(cells.index)))
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.invert_yaxis()
    axes.set_ylabel("layer")
    if cells.size <= MOST_PRINTED:
        _print_values(cells, axes, unit, norm, _marks(cells, starred, faint))
    if high > low:
        _colour_bar(mesh, axes, unit)
    return axes


def _colour_bar(mesh: QuadMesh, axes: Axes, unit: str) -> None:
    bar = axes.figure.colorbar(mesh, ax=axes, location="bottom", aspect=32, pad=0.02)
    for part in bar.ax.collections:
        part.set_edgecolor("face")  # else hairlines show between the colours
    bar.ax.spines[:].set_visible(False)
    scale = 100 if unit in ("share", "ratio") else 1
    bar.ax.xaxis.set_major_locator(MaxNLocator(4))
    bar.ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{scale * value:.4g}"))


def _short(module: str) -> str:
    return module.removesuffix("_proj")


def _layer_ticks(layers: list[int]) -> tuple[list[float], list[str]]:
    every = 1 if len(layers) <= 40 else 4
    shown = [i for i, layer in enumerate(layers) if layer == OUTSIDE or layer % every == 0]
    names = ["none" if layers[i] == OUTSIDE else str(layers[i]) for i in shown]
    return [i + 0.5 for i in shown], names


def _marks(
    cells: pd.DataFrame, starred: pd.DataFrame | None, faint: pd.DataFrame | None
) -> pd.DataFrame:
    marks = pd.DataFrame("", cells.index, cells.columns)
    for which, mark in ((starred, "*"), (faint, "?")):
        if which is not None:
            marks = marks.where(~which, mark)
    return marks


def _print_values(
    cells: pd.DataFrame, axes: Axes, unit: str, norm: Normalize, marks: pd.DataFrame
) -> None:
    words = []
    for (row, column), value in np.ndenumerate(cells.to_numpy(float)):
        mark = str(marks.iloc[row, column])
        text = "–" if missing(value) else write(float(value), unit) + mark
        plain = missing(value) or mark == "?"
        colour = INK if plain else _contrasting(float(norm(value)))
        words.append(Word(text, column + 0.5, row + 0.52, colour))
    axes.add_artist(Words(words, size=9))


def _contrasting(place: float) -> str:
    """Black or white, whichever contrasts more with the colour (WCAG relative luminance)."""
    red, green, blue = (channel**2.2 for channel in COLOURS(place)[:3])
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return "#ffffff" if luminance < 0.18 else "#111111"
