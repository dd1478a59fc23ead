"""Trajectory figures of one run or of the arms of a study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import pandas as pd
from matplotlib.axes import Axes

from hodograph.report import figures
from hodograph.report.names import TITLES, TRAJECTORIES, null_of, storage_free
from hodograph.report.numbers import quantity
from hodograph.report.read import Measurement
from hodograph.report.series import attention_rows, over_seeds, trajectory
from hodograph.report.style import Look, draw, looks
from hodograph.report.views import Body, Cell, Figure, Head, Panel, Table
from hodograph.tables.columns import BY_NAME

Arms = Mapping[str, Sequence[Measurement]]
"""The measurements of each arm, one a seed."""

_WIDTH, _HEIGHT = 420, 265
_NOTES = {
    "hill_11": " Order k = 11; the estimate depends on k.",
    "capture16": " Dotted, where inputs were examined: what random updates with the same inputs"
    " capture of each other.",
    "capture16_by_inputs": " Of the same rest of the way, by the leading vectors of random updates"
    " with the same inputs; dotted: what they capture of each other.",
    "sim16_end": " The last point is 100 % by definition: the end compared with itself.",
    "stable_rank": " bfloat16 rounding raises the stable rank of small updates.",
}


_WITHOUT = dict.fromkeys(("capture16", "capture16_by_inputs"), "random updates, same inputs")


def storages(arms: Arms) -> list[str]:
    """Return the storages any run was seen in, the stored precision first."""
    return list(dict.fromkeys(s for runs in arms.values() for run in runs for s in run.storages))


def arm_keys(arms: Arms) -> list[tuple[str, Panel]]:
    """Return each arm's name with a drawn sample of its line; nothing for a single run."""
    if len(arms) < 2:
        return []
    return [
        (name, Panel(draw(partial(figures.key, look=look), name=f"key-{index}",
                          label=f"line of {name}", width=44, height=16), 44))
        for index, (name, look) in enumerate(looks(arms).items())
    ]  # fmt: skip


def trajectory_figures(arms: Arms) -> list[Figure]:
    """Return a figure for each trajectory metric that has a value, sparsity last."""
    found = [_figure(arms, metric) for metric in (*TRAJECTORIES, "update_sparsity")]
    return [figure for figure in found if figure is not None]


def _series(arms: Arms, metric: str) -> pd.DataFrame:
    parts = []
    for name, runs in arms.items():
        tables = [_scope(run.table, metric)[0] for run in runs]
        weighted = metric == "update_sparsity"
        joined = over_seeds([trajectory(table, metric, weighted=weighted) for table in tables])
        parts.append(joined.assign(arm=name))
    return pd.concat(parts, ignore_index=True)


def _scope(table: pd.DataFrame, metric: str) -> tuple[pd.DataFrame, str]:
    return (table, "") if metric == "update_sparsity" else attention_rows(table)


def _figure(arms: Arms, metric: str) -> Figure | None:
    series = _series(arms, metric)
    if series.empty:
        return None
    shown = storages(arms)[:1] if storage_free(metric) else storages(arms)
    series = series[series["storage"].isin(shown)]
    chance = _chance(arms, metric)
    limits = figures.limits(series, chance)
    panels = [
        _panel(series[series["storage"] == storage], metric, storage, looks(arms), limits, chance)
        for storage in shown
        if (series["storage"] == storage).any()
    ]
    title = f"{TITLES[metric]} of the update" if metric == "stable_rank" else TITLES[metric]
    return Figure(title, _caption(arms, metric, series), panels, _values(series, metric))


def _chance(arms: Arms, metric: str) -> float | None:
    column = null_of(metric)
    if column is None or BY_NAME[metric].family not in ("path", "lock", "inputs"):
        return None
    rows = [attention_rows(run.table)[0][column].dropna() for runs in arms.values() for run in runs]
    values = pd.concat(rows)
    return float(values.mean()) if len(values) else None


def _panel(
    series: pd.DataFrame,
    metric: str,
    storage: str,
    how: Mapping[str, Look],
    limits: tuple[float, float],
    chance: float | None,
) -> Panel:
    def plot(axes: Axes) -> Axes:
        unit = BY_NAME[metric].unit
        return figures.trajectory(series, axes, how, unit=unit, limits=limits, chance=chance,
                                  without=_WITHOUT.get(metric, "chance"))  # fmt: skip

    ends = [
        f"{arm}{' ' if arm else ''}from {quantity(points['mean'].iloc[0], BY_NAME[metric].unit)} "
        f"to {quantity(points['mean'].iloc[-1], BY_NAME[metric].unit)}"
        for arm, points in series.groupby("arm", sort=False)
    ]
    label = f"{TITLES[metric]} against optimizer steps, {storage}: {'; '.join(ends)}"
    svg = draw(plot, name=f"{metric}-{storage}", label=label, width=_WIDTH, height=_HEIGHT)
    title = "one value for every storage" if storage_free(metric) else seen_in(storage)
    return Panel(svg, _WIDTH, title)


def seen_in(storage: str) -> str:
    """Say in words which storage an update is seen in."""
    return f"as visible in {storage}" if storage == "bfloat16" else f"in {storage}"


def _caption(arms: Arms, metric: str, series: pd.DataFrame) -> str:
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
    if series["storage"].nunique() > 1:
        caption += " Both panels share one scale."
    if (series["flag"] != "").any():
        caption += " Hollow points: some matrices are too near the rounding noise (see values)."
    return caption


def _values(series: pd.DataFrame, metric: str) -> Table:
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
    return Table(f"{TITLES[metric]}: values", heads, [Body(rows)])


def sparsity_size_figure(arms: Arms) -> Figure | None:
    """Return sparsity against relative norm: how far size alone accounts for sparsity."""
    parts = [_size_points(runs).assign(arm=name) for name, runs in arms.items()]
    table = pd.concat(parts, ignore_index=True)
    table = table[table["relative_norm"] > 0]
    if len(table) < 2:
        return None
    svg = draw(
        partial(figures.sparsity_against_size, table, looks=looks(arms)),
        name="sparsity-size",
        label="Update sparsity against relative norm, one line an arm",
        width=_WIDTH,
        height=_HEIGHT,
    )
    caption = (
        "Each point is a checkpoint. Arms that lie on one curve differ in how far they moved, "
        "not in how sparsely they move."
    )
    return Figure("Update sparsity against the size of the update", caption, [Panel(svg, _WIDTH)])


def _size_points(runs: Sequence[Measurement]) -> pd.DataFrame:
    storage = runs[0].storages[0]
    columns = []
    for metric in ("update_sparsity", "relative_norm"):
        weighted = metric == "update_sparsity"
        joined = over_seeds([trajectory(run.table, metric, weighted=weighted) for run in runs])
        stored = joined[joined["storage"] == storage]
        columns.append(stored.set_index("step")["mean"].rename(metric))
    return pd.concat(columns, axis=1, join="inner").reset_index()
