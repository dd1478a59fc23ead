"""Trajectory figures of one run or of the arms of a study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import pandas as pd

from hodograph.report import figures
from hodograph.report.names import TITLES, TRAJECTORIES, null_of, storage_free
from hodograph.report.numbers import quantity, significant
from hodograph.report.read import Measurement
from hodograph.report.series import attention_rows, over_seeds, trajectory
from hodograph.report.style import Look, draw, looks
from hodograph.report.views import Body, Cell, Figure, Head, Panel, Table
from hodograph.tables.columns import BY_NAME

Arms = Mapping[str, Sequence[Measurement]]
"""The measurements of each arm, one a seed."""

_WIDTH, _HEIGHT = 420, 265
PATH = ("stable_rank", "update_norm", "hill_11")
LOCK = ("sim16_end", "sim16_disjoint", "capture16", "capture16_by_inputs")
_NOTES = {
    "hill_11": " Order k = 11; the estimate depends on k.",
    "capture16": " What the early update's subspace holds of the rest of the way.",
    "capture16_by_inputs": " Of the same rest of the way, by the leading vectors of random updates"
    " with the same inputs.",
    "sim16_end": " The last point is 100 % by definition: the end compared with itself. A shared"
    " history raises this form, not the one to the rest of the way.",
    "sim16_disjoint": " The early update against what follows it: nothing is shared but a lock.",
    "stable_rank": " bfloat16 rounding raises the stable rank of small updates.",
}
_NULLS = {
    "update_sparsity": "the update permuted within its matrix",
    "update_norm": "a random walk of Adam's steps",
    "sim16_end": "random subspaces",
    "sim16_disjoint": "random subspaces",
    "capture16": "what random updates with the same inputs capture of each other",
    "capture16_by_inputs": "what random updates with the same inputs capture of each other",
}


def storages(arms: Arms) -> list[str]:
    """Return the storages any run was seen in, the stored precision first."""
    return list(dict.fromkeys(s for runs in arms.values() for run in runs for s in run.storages))


def trajectory_figures(
    arms: Arms, metrics: Sequence[str] = (*TRAJECTORIES, "update_sparsity"), ident: str = ""
) -> list[Figure]:
    """Return a figure for each metric that has a value.

    Args:
        arms: What to draw.
        metrics: Columns, in order.
        ident: What ids of the drawings start with.
    """
    found = [_figure(arms, metric, ident) for metric in metrics]
    return [figure for figure in found if figure is not None]


def _series(arms: Arms, metric: str) -> pd.DataFrame:
    parts = []
    for name, runs in arms.items():
        tables = [_scope(run.table, metric)[0] for run in runs]
        weighted = metric == "update_sparsity"
        alone = len(tables) == 1
        joined = over_seeds(
            [trajectory(one, metric, weighted=weighted, interval=alone) for one in tables]
        )
        parts.append(joined.assign(arm=name))
    return pd.concat(parts, ignore_index=True)


def _scope(table: pd.DataFrame, metric: str) -> tuple[pd.DataFrame, str]:
    return (table, "") if metric == "update_sparsity" else attention_rows(table)


def _figure(arms: Arms, metric: str, ident: str) -> Figure | None:
    series = _series(arms, metric)
    if series.empty:
        return None
    shown = storages(arms)[:1] if storage_free(metric) else storages(arms)
    series = series[series["storage"].isin(shown)]
    nulls = null_series(arms, metric)
    nulls = nulls[nulls["storage"].isin(shown)]
    limits = figures.limits(series, *nulls["null"])
    panels = [
        _panel(
            series[series["storage"] == storage],
            nulls[nulls["storage"] == storage],
            (metric, storage, ident),
            looks(arms),
            limits,
        )
        for storage in shown
        if (series["storage"] == storage).any()
    ]
    title = f"{TITLES[metric]} of the update" if metric == "stable_rank" else TITLES[metric]
    caption = _caption(arms, metric, series, dotted=len(nulls) > 0)
    return Figure(title, caption, panels, _values(series, metric, ident))


def null_series(arms: Arms, metric: str) -> pd.DataFrame:
    """Return what the metric's null gives along each arm: arm, storage, step, null.

    Means over the matrices and seeds that the metric itself is a mean over. A random walk's norm is
    the update's, times kappa of a random walk over its own.
    """
    parts = [_nulls_of(run, metric).assign(arm=name) for name, runs in arms.items() for run in runs]
    keys = ["arm", "storage", "step"]
    return pd.concat(parts).groupby(keys, sort=False)["null"].mean().reset_index()


def _nulls_of(run: Measurement, metric: str) -> pd.DataFrame:
    rows = _scope(run.table, metric)[0]
    if metric == "update_norm":
        null = rows["update_norm"] * rows["kappa_random_walk"] / rows["kappa"]
    elif metric in _NULLS and (column := null_of(metric)) is not None:
        null = rows[column]
    else:
        null = pd.Series(float("nan"), rows.index)
    weights = rows["rows"] * rows["cols"] if metric == "update_sparsity" else 1.0
    known = rows[metric].notna() & null.notna()
    sums = pd.DataFrame({"storage": rows["storage"], "step": rows["step"],
                         "null": (null * weights).astype(float), "weight": weights})  # fmt: skip
    total = sums[known].groupby(["storage", "step"], as_index=False).sum()
    total["null"] /= total["weight"]
    return total[["storage", "step", "null"]]


def _panel(
    series: pd.DataFrame,
    nulls: pd.DataFrame,
    which: tuple[str, str, str],
    how: Mapping[str, Look],
    limits: tuple[float, float],
) -> Panel:
    metric, storage, ident = which
    unit = BY_NAME[metric].unit
    ends = [
        f"{arm}{' ' if arm else ''}from {quantity(points['mean'].iloc[0], unit)} "
        f"to {quantity(points['mean'].iloc[-1], unit)}"
        for arm, points in series.groupby("arm", sort=False)
    ]
    svg = draw(
        partial(figures.trajectory, series, looks=how, unit=unit, limits=limits, nulls=nulls),
        name=f"{ident}{metric}-{storage}",
        label=f"{TITLES[metric]} against optimizer steps, {storage}: {'; '.join(ends)}",
        width=_WIDTH,
        height=_HEIGHT,
    )
    title = "one value for every storage" if storage_free(metric) else seen_in(storage)
    return Panel(svg, _WIDTH, title, "%" if unit == "share" else unit)


def seen_in(storage: str) -> str:
    """Say in words which storage an update is seen in."""
    return f"as visible in {storage}" if storage == "bfloat16" else f"in {storage}"


def _caption(arms: Arms, metric: str, series: pd.DataFrame, *, dotted: bool) -> str:
    seeds = max(len(runs) for runs in arms.values())
    first = next(iter(arms.values()))[0]
    if metric == "update_sparsity":
        what = "Share of all measured parameters that do not visibly change in bfloat16"
    else:
        what = f"Unweighted mean over {_scope(first.table, metric)[1]}"
    band = "the range over seeds" if seeds > 1 else "the 95 % bootstrap interval over layers"
    if series["low"].isna().all():
        band = "absent: an interval over layers needs two layers"
    caption = f"{what}; band: {band}." + _NOTES.get(metric, "")
    if dotted:
        caption += f" Dotted, under the line where unseen: {_NULLS[metric]}."
    if metric == "stable_rank":
        caption += f" A Gaussian update of these shapes has {significant(gaussian(arms))}."
    if series["storage"].nunique() > 1:
        caption += " Both panels share one scale."
    if (series["flag"] != "").any():
        caption += " Hollow points: some matrices are too near the rounding noise (see values)."
    return caption


def gaussian(arms: Arms) -> float:
    """Return the stable rank mn / (√m + √n)² of Gaussian matrices, mean over the trajectory's."""
    first = next(iter(arms.values()))[0]
    sizes = _scope(first.table, "stable_rank")[0].drop_duplicates("parameter")
    rows, cols = sizes["rows"].astype(float), sizes["cols"].astype(float)
    return float((rows * cols / (rows**0.5 + cols**0.5) ** 2).mean())


def _values(series: pd.DataFrame, metric: str, ident: str) -> Table:
    unit = BY_NAME[metric].unit
    heads = [
        Head("arm", words=True),
        Head("storage", words=True),
        Head("step"),
        Head("mean"),
        Head("low"),
        Head("high"),
    ]
    rows = [
        [
            Cell(str(point["arm"]), header=True, words=True),
            Cell(str(point["storage"]), words=True),
            Cell(str(point["step"])),
            Cell(quantity(point["mean"], unit), flag=str(point["flag"])),
            Cell(quantity(point["low"], unit), title="low end of the band"),
            Cell(quantity(point["high"], unit), title="high end of the band"),
        ]
        for point in series.to_dict("records")
    ]
    drop_arm = series["arm"].nunique() == 1 and series["arm"].iloc[0] == ""
    if drop_arm:
        heads, rows = heads[1:], [row[1:] for row in rows]
    return Table(f"{TITLES[metric]}: values", heads, [Body(rows)], f"{ident}values-{metric}")


def sparsity_size_figure(arms: Arms, ident: str = "") -> Figure | None:
    """Return sparsity against relative norm: how far size alone accounts for sparsity."""
    parts = [_size_points(runs).assign(arm=name) for name, runs in arms.items()]
    table = pd.concat(parts, ignore_index=True)
    table = table[table["relative_norm"] > 0]
    if len(table) < 2:
        return None
    svg = draw(
        partial(figures.sparsity_against_size, table, looks=looks(arms)),
        name=f"{ident}sparsity-size",
        label="Update sparsity against relative norm, one line an arm",
        width=_WIDTH,
        height=_HEIGHT,
    )
    caption = (
        "Each point is a checkpoint. Arms that lie on one curve differ in how far they moved, "
        "not in how sparsely they move."
    )
    panel = Panel(svg, _WIDTH, unit="%")
    return Figure("Update sparsity against the size of the update", caption, [panel])


def _size_points(runs: Sequence[Measurement]) -> pd.DataFrame:
    storage = runs[0].storages[0]
    columns = []
    for metric in ("update_sparsity", "relative_norm"):
        weighted = metric == "update_sparsity"
        joined = over_seeds(
            [trajectory(run.table, metric, weighted=weighted, interval=False) for run in runs]
        )
        stored = joined[joined["storage"] == storage]
        columns.append(stored.set_index("step")["mean"].rename(metric))
    return pd.concat(columns, axis=1, join="inner").reset_index()
