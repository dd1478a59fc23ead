"""What the explorer holds: every metric and its null, rounded and thinned to fit one small file.

Axes of the arrays: storage x run x step x cell. A run is one seed of one arm, a cell one module of
one layer; experts of one place are averaged, as in the heat maps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hodograph.modules import LINEAR
from hodograph.report.heatmap import OUTSIDE
from hodograph.report.names import TITLES, null_of, storage_free
from hodograph.report.read import Measurement
from hodograph.tables.columns import BY_NAME

MOST_CELLS = 16_000
"""Values a metric may keep one by one; beyond, seeds are averaged and steps thinned."""
_DOUBTED = ("caution", "poor")
Values = list[float | None]


@dataclass(frozen=True)
class ExploredRun:
    """One seed of one arm, and the W0 it starts from in words."""

    arm: str
    seed: int | None
    origin: str
    measurement: Measurement


@dataclass(frozen=True)
class Axes:
    """What the values are indexed by."""

    runs: Sequence[ExploredRun]
    arms: list[str]
    storages: list[str]
    steps: list[int]
    cells: list[tuple[int, str]]
    kept_steps: list[int]
    seeds_kept: bool

    @property
    def whole(self) -> bool:
        """Whether single cells are kept at every step and for every seed."""
        return self.seeds_kept and self.kept_steps == self.steps


def axes_of(runs: Sequence[ExploredRun]) -> Axes:
    """Return the axes of these runs; single cells lose seeds first, then steps, to stay small.

    The last step of every run stays.
    """
    tables = [run.measurement for run in runs]
    arms = list(dict.fromkeys(run.arm for run in runs))
    storages = list(dict.fromkeys(storage for one in tables for storage in one.storages))
    steps = sorted({step for one in tables for step in one.steps})
    cells = _cells(tables)
    single = len(storages) * len(cells)
    seeds_kept = single * len(runs) * len(steps) <= MOST_CELLS
    lines = len(runs) if seeds_kept else len(arms)
    most = max(2, MOST_CELLS // (single * lines))
    ends = {one.steps[-1] for one in tables}
    kept = sorted({*thinned(steps, most), *ends})
    return Axes(runs, arms, storages, steps, cells, kept, seeds_kept)


def thinned(steps: list[int], most: int) -> list[int]:
    """Return at most so many steps, evenly spaced in their order, the first and last among them."""
    if len(steps) <= most:
        return steps
    return [steps[round(place * (len(steps) - 1) / (most - 1))] for place in range(most)]


def _cells(measurements: Sequence[Measurement]) -> list[tuple[int, str]]:
    found = {
        (int(layer), str(module))
        for one in measurements
        for layer, module in zip(_layers(one.table), one.table["module"], strict=True)
    }
    known = {module: place for place, module in enumerate(LINEAR)}
    return sorted(found, key=lambda cell: (cell[0], known.get(cell[1], len(known)), cell[1]))


def _layers(table: pd.DataFrame) -> pd.Series:
    return table["layer"].fillna(OUTSIDE).astype(int)


def gathered(axes: Axes) -> dict[str, np.ndarray]:
    """Return every metric and null as storages x runs x steps x cells, NaN where there is no value.

    `doubt` is 1 where a spectrum is in doubt (caution or poor), else 0.
    """
    parts = [_of_run(axes, run.measurement.table) for run in axes.runs]
    return {column: np.stack([part[column] for part in parts], axis=1) for column in parts[0]}


def _of_run(axes: Axes, table: pd.DataFrame) -> dict[str, np.ndarray]:
    nulls = [null for metric in TITLES if (null := null_of(metric))]
    columns = list(dict.fromkeys((*TITLES, *nulls)))
    keys = [table["storage"], table["step"], _layers(table), table["module"]]
    doubted = table["reliability"].isin(_DOUBTED)
    means = table[columns].astype(float).assign(doubt=doubted.astype(float)).groupby(keys).mean()
    index = pd.MultiIndex.from_tuples(
        [(s, t, *cell) for s in axes.storages for t in axes.steps for cell in axes.cells]
    )
    shape = (len(axes.storages), len(axes.steps), len(axes.cells))
    return {
        str(name): column.to_numpy(float).reshape(shape)
        for name, column in means.reindex(index).items()
    }


def block(axes: Axes, metric: str, columns: dict[str, np.ndarray]) -> dict[str, Values] | None:
    """Return the values of a metric and its null; None where no matrix has a value.

    `means` are over all cells, for every storage, run and step; `cells` are single cells, for
    the steps kept and, unless seeds are kept, averaged over them. A cell has its difference from
    the null in place of the null: often a small one, of which three digits are to be right. Of a
    metric defined on bfloat16 values the first storage alone.
    """
    values = columns[metric]
    if np.isnan(values).all():
        return None
    null = null_of(metric)
    parts = {"": values} | ({"null_": columns[null]} if null else {})
    if may_be_doubted(metric):
        parts["doubt_"] = np.where(np.isnan(values), np.nan, columns["doubt"])
    shown = {name: one[:1] if storage_free(metric) else one for name, one in parts.items()}
    means = {name: _mean(one, axis=3) for name, one in shown.items()}
    cells = {name: _single(axes, one) for name, one in shown.items()}
    if null:
        cells["difference_"] = cells[""] - cells.pop("null_")
    return {f"{name}means": rounded(one, 6) for name, one in means.items()} | {
        f"{name}cells": rounded(one, 3) for name, one in cells.items()
    }


def may_be_doubted(metric: str) -> bool:
    """Say whether a metric is read off the update's spectrum, which carries its reliability."""
    return BY_NAME[metric].family in ("spectrum", "lock") or metric.startswith("sim16")


def _single(axes: Axes, values: np.ndarray) -> np.ndarray:
    kept = values[:, :, [axes.steps.index(step) for step in axes.kept_steps]]
    if axes.seeds_kept:
        return kept
    names = [run.arm for run in axes.runs]
    parts = [kept[:, [name == arm for name in names]] for arm in axes.arms]
    return np.stack([_mean(part, axis=1) for part in parts], axis=1)


def _mean(values: np.ndarray, axis: int) -> np.ndarray:
    """Mean of those that have a value; NaN where none has."""
    count = (~np.isnan(values)).sum(axis=axis)
    return np.where(count, np.nansum(values, axis=axis) / np.maximum(count, 1), np.nan)


def rounded(values: np.ndarray, digits: int) -> Values:
    """Return values in C order with so many significant digits, None for what is not finite."""
    return [float(f"{x:.{digits}g}") if np.isfinite(x) else None for x in values.ravel().tolist()]
