"""Line and bar figures: each draws a table on an Axes, and reads, saves and styles nothing else."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from hodograph.report.names import OVERLAPS, TITLES, ULP_COLUMNS
from hodograph.report.numbers import percent
from hodograph.report.style import INK, MUTED, PAPER, Look

_SHARE = FuncFormatter(lambda value, _: f"{100 * value:g}")
_BIAS = 127


def trajectory(
    table: pd.DataFrame,
    axes: Axes,
    looks: Mapping[str, Look],
    *,
    unit: str = "",
    limits: tuple[float, float] | None = None,
    nulls: pd.DataFrame | None = None,
) -> Axes:
    """Draw one line an arm against optimizer steps, with its band.

    Args:
        table: Columns arm, step, mean, low, high, flag. A point with a flag is drawn hollow.
        axes: Where to draw.
        looks: How each arm is drawn.
        unit: Label of the y axis; "share" is shown in per cent.
        limits: Limits of the y axis, so that panels can be compared.
        nulls: Columns arm, step, null: dotted lines, one for all arms where it is the same.
    """
    for arm, points in table.groupby("arm", sort=False):
        look = looks[str(arm)]
        band = points[points["low"].notna()]
        axes.fill_between(
            band["step"], band["low"], band["high"], color=look.colour, alpha=0.13, lw=0
        )
        axes.plot(points["step"], points["mean"], color=look.colour, ls=look.line)
        _markers(points, axes, look)
    if nulls is not None:
        _dotted(nulls, axes, looks)
    axes.set_xlabel("optimizer steps")
    axes.set_ylabel("%" if unit == "share" else unit)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=(1, 2, 4, 5, 10)))
    if unit == "share":
        axes.yaxis.set_major_formatter(_SHARE)
    if limits is not None:
        axes.set_ylim(*limits)
    return axes


def _dotted(nulls: pd.DataFrame, axes: Axes, looks: Mapping[str, Look]) -> None:
    steps = nulls.groupby("step")["null"]
    if (steps.max() - steps.min() <= 1e-6 * steps.max().abs()).all():
        axes.plot(*zip(*steps.mean().items(), strict=True), color=MUTED, ls=":", lw=1.2)
        return
    for arm, points in nulls.groupby("arm", sort=False):
        axes.plot(points["step"], points["null"], color=looks[str(arm)].colour, ls=":", lw=1.1)


def _markers(points: pd.DataFrame, axes: Axes, look: Look) -> None:
    for hollow in (True, False):
        some = points[(points["flag"] != "") == hollow]
        fill = PAPER if hollow else look.colour
        axes.plot(some["step"], some["mean"], ls="", marker=look.marker, mec=look.colour, mfc=fill)


def limits(table: pd.DataFrame, *more: float | None) -> tuple[float, float]:
    """Return y limits that hold every point and band of the table, with a margin."""
    values = table[["mean", "low", "high"]].to_numpy(float).ravel()
    extra = [value for value in more if value is not None]
    low, high = np.nanmin([*values, *extra]), np.nanmax([*values, *extra])
    margin = 0.07 * (high - low) or 0.07 * abs(high) or 1.0
    return float(low - margin), float(high + margin)


def key(axes: Axes, look: Look) -> Axes:
    """Draw one entry of a key: a piece of line with its marker."""
    axes.plot([0, 0.5, 1], [0, 0, 0], color=look.colour, ls=look.line)
    axes.plot([0.5], [0], ls="", marker=look.marker, color=look.colour)
    axes.set_axis_off()
    return axes


def sparsity_against_size(table: pd.DataFrame, axes: Axes, looks: Mapping[str, Look]) -> Axes:
    """Draw update sparsity against relative norm, one line an arm, in order of steps.

    Args:
        table: Columns arm, step, update_sparsity, relative_norm; all values positive.
        axes: Where to draw.
        looks: How each arm is drawn.
    """
    for arm, points in table.groupby("arm", sort=False):
        look = looks[str(arm)]
        axes.plot(points["relative_norm"], points["update_sparsity"], color=look.colour,
                  ls=look.line, marker=look.marker)  # fmt: skip
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(_SHARE)
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(_SHARE)
    axes.set_xlabel("relative norm ‖D‖ / ‖W0‖, % (log scale)")
    axes.set_ylabel("%")
    return axes


def ulp_histogram(table: pd.DataFrame, axes: Axes) -> Axes:
    """Draw the share of parameters by how many bfloat16 units they moved.

    Args:
        table: Matrices of one checkpoint; each counts by its number of parameters.
        axes: Where to draw.
    """
    weight = (table["rows"] * table["cols"]).to_numpy(float)
    shares = [float(np.average(table[column], weights=weight)) for column in ULP_COLUMNS]
    names = [column.removeprefix("ulp_").replace("_", "–") for column in ULP_COLUMNS]
    names = [name.replace("over–", "> ") for name in names]
    axes.bar(names, shares, color=MUTED, width=0.72)
    for index, share in enumerate(shares):
        axes.annotate(f"{percent(share)} %", (index, share), (0, 3), textcoords="offset points",
                      ha="center", fontsize=10)  # fmt: skip
    axes.margins(y=0.14)
    axes.grid(visible=False, axis="x")
    axes.yaxis.set_major_formatter(_SHARE)
    axes.set_xlabel("change in bfloat16 ULPs")
    axes.set_ylabel("% of parameters")
    return axes


def by_exponent(table: pd.DataFrame) -> pd.DataFrame:
    """Return entries and visibly changed entries by biased exponent, summed over matrices."""
    lists = table[["exponents", "exponent_entries", "exponent_changed"]].dropna()
    flat = lists.explode(list(lists.columns)).astype("int64")
    summed = flat.groupby("exponents")[["exponent_entries", "exponent_changed"]].sum()
    return summed.rename(columns={"exponent_entries": "entries", "exponent_changed": "changed"})


def visibility_curve(table: pd.DataFrame, axes: Axes, *, least: float = 1e-5) -> Axes:
    """Draw the share of entries that visibly changed against the size of the weight.

    Args:
        table: Matrices of one checkpoint.
        axes: Where to draw.
        least: Exponents that hold a smaller share of the entries are left out, as is exponent 0.
    """
    bins = by_exponent(table)
    share = bins["entries"] / bins["entries"].sum()
    kept = bins[(share >= least) & (bins.index > 0)]
    power = kept.index.to_numpy() - _BIAS
    axes.bar(power, share[kept.index], color=MUTED, alpha=0.35, width=0.85)
    axes.plot(power, kept["changed"] / kept["entries"], color=INK, marker="o")
    axes.set_ylim(-0.03, 1.05)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    axes.yaxis.set_major_formatter(_SHARE)
    axes.set_xlabel("exponent e of the weight, 2ᵉ ≤ |w| < 2ᵉ⁺¹")
    axes.set_ylabel("%")
    return axes


def overlap_against_null(table: pd.DataFrame, axes: Axes) -> Axes:
    """Draw each overlap of visible updates with a mask, and beside it what permuting D gives.

    Both are means over the matrices that have a null. The null is a bar of two standard
    deviations either way, averaged over matrices; where it is narrower than its stroke, a stroke.

    Args:
        table: Matrices of one checkpoint.
        axes: Where to draw.
    """
    shown = [name for name in OVERLAPS if table[f"{name}_null"].notna().any()]
    for place, name in enumerate(reversed(shown)):
        rows = table[table[f"{name}_null"].notna()]
        null, spread = float(rows[f"{name}_null"].mean()), float(rows[f"{name}_null_sd"].mean())
        axes.plot([null, null], [place - 0.28, place + 0.28], color=MUTED, lw=2.5)
        axes.plot(
            [null - 2 * spread, null + 2 * spread], [place, place], color=MUTED, lw=5, alpha=0.5
        )
        value = float(rows[name].mean())
        axes.plot([value], [place], marker="o", ms=7, color=INK)
        right = max(value, null + 2 * spread)
        axes.annotate(f"{percent(value)} (null {percent(null)})", (right, place), (9, 0),
                      textcoords="offset points", va="center", fontsize=10)  # fmt: skip
    axes.set_yticks(
        range(len(shown)), [TITLES[name].replace(" overlap", "") for name in reversed(shown)]
    )
    axes.set_ylim(-0.6, len(shown) - 0.4)
    axes.margins(x=0.1)
    low, high = axes.get_xlim()
    axes.set_xlim(max(0.0, low), high + 0.45 * (high - low))
    axes.xaxis.set_major_formatter(_SHARE)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_xlabel("overlap, % of visibly changed entries")
    return axes
