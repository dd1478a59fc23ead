"""The three-gate account on a study's page: one figure a gate, and a table of its numbers.

Each figure draws a table on an Axes; `gates_view` builds the tables from gates.json of every seed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from hodograph.report.keys import arm_key
from hodograph.report.numbers import significant
from hodograph.report.read import Run
from hodograph.report.style import INK, MUTED, Look, draw, looks
from hodograph.report.views import Body, Cell, Figure, Head, Panel, Table, absent
from hodograph.tables.gates import GATES
from hodograph.tables.store import read_measurement

Account = dict[str, Any]
LEASH = (
    "Gate I: what the update spends",
    "KL to W0 on the model's own samples, in nats a token; bar: 95 % over prompts, or the range of"
    " seeds. Cross: Dᵀ F D / 2. Stroke: an isotropic update of the same norms.",
    "nats a token",
)
RANKS = (
    "Gate II: effective rank of the gradient",
    "Mean over matrices, on the same samples of each arm; bar: 95 % over layers, or the range of"
    " seeds. Stroke: the coefficients permuted. Circle: random signs, one a sample or one a token.",
    "",
)
VISIBLE = (
    "Gate III: visible changes by exponent",
    "Share of the entries that visibly changed minus the gate's prediction, by exponent of W0, over"
    " all matrices (exponents with 1 % of the entries). Dotted: after permuting D.",
    "points",
)
_WIDTH = 460
_PLAIN = FuncFormatter(lambda value, _: f"{value:g}")
_SIGNED = FuncFormatter(lambda value, _: f"{100 * value:+g}" if value else "0")
_WEIGHTED = FuncFormatter(lambda exponent, _: f"2^{exponent:.0f}")
BIAS = 127


def read_account(folder: Path) -> Account:
    """Contents of gates.json.

    Raises:
        StorageError: the folder holds no finished account of the gates, or a damaged one.
    """
    return read_measurement(folder, GATES)[1]


def study_gates(folder: Path, runs: Sequence[Run]) -> Account | None:
    """What a study's page shows of the gates; None where none were measured.

    Raises:
        StorageError: an account that study.json names is missing or damaged.
    """
    accounts: dict[str, list[Account]] = {}
    for run in runs:
        if run.gates is not None:
            accounts.setdefault(run.name, []).append(read_account(folder / run.gates))
    return gates_view(accounts, looks(accounts)) if accounts else None


def gates_view(accounts: Mapping[str, Sequence[Account]], how: Mapping[str, Look]) -> Account:
    """Figures and a table for a page.

    Args:
        accounts: contents of gates.json for each arm, one a seed, in the order of the page.
        how: how each arm is drawn.
    """
    leashes, effective = leash_table(accounts), ranks_table(accounts)
    figures = [
        _figure("gate-1", partial(leash, leashes, how=how), _height(leashes), *LEASH),
        _figure("gate-2", partial(ranks, effective, how=how), _height(effective), *RANKS),
        _figure("gate-3", partial(visible, curve_table(accounts), how=how), 280, *VISIBLE),
    ]
    figures[2] = replace(figures[2], key=arm_key(how, "gate-"))  # the others name their arms
    return {"figures": figures, "table": gates_table(accounts)}


def leash(table: pd.DataFrame, axes: Axes, how: Mapping[str, Look]) -> Axes:
    """Draw the divergence of each arm beside its quadratic form and its null.

    Args:
        table: Columns label, arm, value, low, high, quadratic, null; one row an arm.
        axes: Where to draw.
        how: How each arm is drawn.
    """
    _intervals(table, axes, how)
    places = range(len(table))
    axes.scatter(table["quadratic"], places, marker="x", color=INK, s=28, lw=1, zorder=3)
    axes.scatter(table["null"], places, marker="|", color=MUTED, s=160, lw=2)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
    axes.xaxis.set_major_formatter(_PLAIN)  # the default writes TeX, which no page sets
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("nats a token")
    return axes


def ranks(table: pd.DataFrame, axes: Axes, how: Mapping[str, Look]) -> Axes:
    """Draw effective ranks under shared and per-token coefficients beside their nulls.

    Args:
        table: Columns label, arm, value, low, high, permuted, signs; two rows an arm.
        axes: Where to draw.
        how: How each arm is drawn.
    """
    _intervals(table, axes, how)
    places = range(len(table))
    axes.scatter(table["permuted"], places, marker="|", color=MUTED, s=160, lw=2)
    axes.scatter(table["signs"], places, marker="o", facecolors="none", edgecolors=INK, s=36)
    axes.set_xlim(left=0)
    axes.set_xlabel("effective rank")
    return axes


def visible(table: pd.DataFrame, axes: Axes, how: Mapping[str, Look]) -> Axes:
    """Draw how far the visible changes are from the gate's prediction, by exponent.

    Args:
        table: Columns arm, exponent (unbiased), apart, permuted; shares of the entries.
        axes: Where to draw.
        how: How each arm is drawn.
    """
    for arm, points in table.groupby("arm", sort=False):
        look = how[str(arm)]
        axes.plot(points["exponent"], points["apart"], color=look.colour, ls=look.line,
                  marker=look.marker)  # fmt: skip
        axes.plot(points["exponent"], points["permuted"], color=look.colour, ls=":", lw=1)
    axes.axhline(0, color=MUTED, lw=1)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.xaxis.set_major_formatter(_WEIGHTED)
    axes.yaxis.set_major_formatter(_SIGNED)
    axes.set_xlabel("|weight| from")
    axes.set_ylabel("observed - predicted, points")
    return axes


def leash_table(accounts: Mapping[str, Sequence[Account]]) -> pd.DataFrame:
    """The table of `leash`."""
    rows = []
    for arm, seeds in accounts.items():
        ones = [one["gates"]["I"] for one in seeds]
        mean = {name: _mean(ones, (name,)) for name in ("quadratic", "null")}
        rows.append({"label": arm, "arm": arm} | _spread(ones, ("kl_to_anchor",)) | mean)
    numbers = ("value", "low", "high", "quadratic", "null")
    return pd.DataFrame(rows).astype(dict.fromkeys(numbers, float))


def ranks_table(accounts: Mapping[str, Sequence[Account]]) -> pd.DataFrame:
    """The table of `ranks`."""
    rows = []
    for arm, seeds in accounts.items():
        ones = [one["gates"]["II"] for one in seeds]
        for kind in ("shared", "per_token"):
            beside = {
                "permuted": _mean(ones, ("null", kind)),
                "signs": _mean(ones, ("signs", kind)),
            }
            spread = _spread(ones, (f"effective_rank_{kind}",))
            label = f"{arm}, {kind.replace('_', ' ')}"
            rows.append({"label": label, "arm": arm} | spread | beside)
    numbers = ("value", "low", "high", "permuted", "signs")
    return pd.DataFrame(rows).astype(dict.fromkeys(numbers, float))


def curve_table(accounts: Mapping[str, Sequence[Account]]) -> pd.DataFrame:
    """The table of `visible`: the entries of all seeds together."""
    rows: list[dict[str, Any]] = []
    for arm, seeds in accounts.items():
        points = pd.DataFrame([p for one in seeds for p in one["gates"]["III"]["curve"]])
        if points.empty:
            continue
        points = points.astype({"permuted": float})
        least = 0.01 * points["entries"].sum()
        for exponent, group in points.groupby("exponent", sort=True):
            weight = group["entries"] / group["entries"].sum()
            if group["entries"].sum() >= least:
                apart = (group["observed"] - group["predicted"]) @ weight
                permuted = (group["permuted"] - group["predicted"]) @ weight
                place = int(str(exponent)) - BIAS
                rows.append({"arm": arm, "exponent": place, "apart": apart, "permuted": permuted})
    return pd.DataFrame(rows, columns=["arm", "exponent", "apart", "permuted"])


_COLUMNS: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ("KL to W0", "nats a token", "I", ("kl_to_anchor",)),
    ("of an isotropic update", "nats a token", "I", ("null",)),
    ("curvature ratio", "to isotropic", "I", ("curvature_ratio",)),
    ("with its inputs", "to isotropic", "I", ("curvature_ratio_inputs",)),
    ("effective rank", "shared", "II", ("effective_rank_shared",)),
    ("effective rank", "per token", "II", ("effective_rank_per_token",)),
    ("principal energy", "shared", "II", ("principal_energy", "shared")),
    ("principal energy", "per token", "II", ("principal_energy", "per_token")),
    ("of the inputs", "share", "II", ("inputs",)),
    ("deviation", "share", "III", ("deviation",)),
    ("of Gaussian updates", "share", "III", ("null",)),
)


def gates_table(accounts: Mapping[str, Sequence[Account]]) -> Table:
    """The numbers of every gate at the last checkpoint; below, their intervals or seeds."""
    heads = [Head("arm", words=True), *(Head(name, unit) for name, unit, _, _ in _COLUMNS)]
    rows = []
    for arm, seeds in accounts.items():
        cells = [
            _cell(_spread([one["gates"][gate] for one in seeds], path))
            for _, _, gate, path in _COLUMNS
        ]
        rows.append([Cell(arm, header=True, words=True), *cells])
    return Table("The three gates at the last checkpoint", heads, [Body(rows)], "gates")


def _figure(
    name: str, plot: Callable[..., Axes], height: int, title: str, caption: str, unit: str
) -> Figure:
    svg = draw(lambda axes: plot(axes=axes), name=name, label=title, width=_WIDTH, height=height)
    return Figure(title, caption, [Panel(svg, _WIDTH, unit=unit)])


def _height(table: pd.DataFrame) -> int:
    return 70 + 34 * len(table)


def _intervals(table: pd.DataFrame, axes: Axes, how: Mapping[str, Look]) -> None:
    """One row a line of the table, its value with its interval, the first on top."""
    for place, one in enumerate(table.to_dict("records")):
        look = how[str(one["arm"])]
        axes.plot([one["low"], one["high"]], [place, place], color=look.colour)
        axes.plot([one["value"]], [place], color=look.colour, marker=look.marker, ls="")
    axes.set_yticks(range(len(table)), list(table["label"]))
    axes.set_ylim(len(table) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")


def _at(numbers: Account, path: tuple[str, ...]) -> Account:
    for name in path:
        numbers = numbers[name]
    return numbers


def _mean(ones: list[Account], path: tuple[str, ...]) -> float | None:
    known = [value for one in ones if (value := _at(one, path)["value"]) is not None]
    return fmean(known) if known else None


def _spread(ones: list[Account], path: tuple[str, ...]) -> dict[str, float | None]:
    """Mean over seeds, with their range; of one seed its own interval."""
    known = [one for each in ones if (one := _at(each, path))["value"] is not None]
    if not known:
        return {"value": None, "low": None, "high": None}
    if len(known) == 1:
        return {name: known[0].get(name) for name in ("value", "low", "high")}
    values = [one["value"] for one in known]
    return {"value": fmean(values), "low": min(values), "high": max(values)}


def _cell(spread: dict[str, float | None]) -> Cell:
    value, low, high = spread["value"], spread["low"], spread["high"]
    if value is None:
        return absent("not defined here; docs/concepts/gates.md says when")
    below = () if low is None or high is None else (f"{significant(low)} to {significant(high)}",)
    return Cell(significant(value), below=below)
