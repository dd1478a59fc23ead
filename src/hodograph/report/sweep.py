"""The page of a sweep: each metric against the constant it depends on, with its null."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from hodograph.report.keys import arm_key
from hodograph.report.made import sweep_made
from hodograph.report.numbers import DASH, missing, significant
from hodograph.report.style import MUTED, Look, draw, looks
from hodograph.report.views import Body, Cell, Figure, Head, Key, Panel, Table, absent

TITLES = {
    ("alpha", "overlap_principal"): "Principal overlap against α",
    ("alpha", "overlap_low"): "Low-magnitude overlap against α",
    ("r", "overlap_principal"): "Principal overlap, α = .3, against the rank r of its mask",
    ("k", "angle_left_mean"): "Mean principal angle, left, against k",
    ("k", "angle_right_mean"): "Mean principal angle, right, against k",
    ("K", "sim_end"): "Sim_K of the first checkpoint with the last against K",
    ("hill_k", "hill"): "Hill estimate against its k",
}
UNITS = {"overlap_principal": "share", "overlap_low": "share", "sim_end": "share",
         "angle_left_mean": "degrees", "angle_right_mean": "degrees"}  # fmt: skip
_WIDTH, _HEIGHT = 420, 265


def sweep_view(summary: dict[str, Any]) -> dict[str, Any]:
    """Return everything the template shows."""
    means = _shown(pd.DataFrame(summary["means"]))
    how = looks(summary["runs"])
    key = arm_key(how)
    return {
        "made": sweep_made(summary),
        "summary": summary,
        "key": key,
        "figures": [
            _figure(one, title, how, key)
            for (choice, metric), title in TITLES.items()
            if len(one := means[(means["choice"] == choice) & (means["metric"] == metric)])
        ],
        "orders": _orders(summary),
    }


def _shown(means: pd.DataFrame) -> pd.DataFrame:
    """Leave out settings that every matrix lowered to what a smaller setting already shows."""
    means = means[means["value"].notna()].sort_values(["choice", "metric", "run", "setting"])
    before = means.groupby(["choice", "metric", "run"])["value"].shift()
    repeated = (means["lowered"] == means["n"]) & (means["value"] == before)
    return means[~repeated]


def _figure(means: pd.DataFrame, title: str, how: Mapping[str, Look], key: Key) -> Figure:
    metric, choice = means["metric"].iloc[0], means["choice"].iloc[0]
    unit = UNITS.get(metric, "")
    ends = "; ".join(
        f"{run} from {significant(one['value'].iloc[0])} to {significant(one['value'].iloc[-1])}"
        for run, one in means.groupby("run", sort=False)
    )
    svg = draw(
        partial(_plot, means, how, unit), name=f"sweep-{choice}-{metric}",
        label=f"{title}: {ends}", width=_WIDTH, height=_HEIGHT,
    )  # fmt: skip
    caption = "Mean over matrices; band: 95 % bootstrap interval over layers."
    if means["null"].notna().any():
        caption += " Dotted: the null under the same setting."
    if (means["lowered"] > 0).any():
        caption += " Settings that a matrix has no room for are lowered in it (see values)."
    panel = Panel(svg, _WIDTH, unit="%" if unit == "share" else unit)
    return Figure(title, caption, [panel], _values(means, title), key)


def _plot(means: pd.DataFrame, how: Mapping[str, Look], unit: str, axes: Axes) -> Axes:
    for run, one in means.groupby("run", sort=False):
        look = how[str(run)]
        band = one[one["low"].notna()].astype({"low": float, "high": float})
        axes.fill_between(
            band["setting"], band["low"], band["high"], color=look.colour, alpha=0.13, lw=0
        )
        axes.plot(one["setting"], one["value"], color=look.colour, ls=look.line, marker=look.marker)
        null = one[one["null"].notna()]
        axes.plot(null["setting"], null["null"].astype(float), color=look.colour, ls=":", lw=1)
    choice = means["choice"].iloc[0]
    if choice != "alpha":
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlabel({"alpha": "α", "hill_k": "k"}.get(choice, choice), color=MUTED)
    axes.set_ylabel("%" if unit == "share" else unit)
    if unit == "share":
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g}"))
    return axes


def _values(means: pd.DataFrame, title: str) -> Table:
    heads = [Head("run", words=True), Head("setting"), Head("value"), Head("null"),
             Head("95 % interval"), Head("matrices", "of them lowered")]  # fmt: skip
    rows = [
        [
            Cell(str(one["run"]), header=True, words=True),
            Cell(f"{one['setting']:g}"),
            Cell(significant(one["value"])),
            absent("no null is defined")
            if pd.isna(one["null"])
            else Cell(significant(one["null"])),
            _interval(one["low"], one["high"]),
            Cell(f"{one['n']}", below=(f"{one['lowered']}",) if one["lowered"] else ()),
        ]
        for one in means.to_dict("records")
    ]
    first = means.iloc[0]
    name = f"values-{first['choice']}-{first['metric']}"
    return Table(f"{title}: values", heads, [Body(rows)], name)


def _interval(low: float, high: float) -> Cell:
    if missing(low):
        return absent("an interval over layers needs two layers")
    return Cell(f"{significant(low)} to {significant(high)}")


def _orders(summary: dict[str, Any]) -> Table | None:
    if not summary["orders"]:
        return None
    heads = [Head("quantity", words=True), Head("same order", words=True),
             Head("setting"), Head("order", words=True)]  # fmt: skip
    bodies = [
        Body(
            [
                [
                    Cell(TITLES[one["choice"], one["metric"]], header=True, words=True),
                    Cell("yes" if one["same"] else "no", words=True),
                    Cell("every" if one["same"] else f"{entry['setting']:g}"),
                    Cell(" < ".join(entry["order"]) or DASH, words=True),
                ]
                for entry in (one["settings"][:1] if one["same"] else one["settings"])
            ]
        )
        for one in summary["orders"]
    ]
    return Table("Does the order of the runs depend on the choice?", heads, bodies, "orders")
