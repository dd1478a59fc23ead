"""Means over matrices along a trajectory, with their intervals.

Matrices of one layer are not independent, so the 95 % interval resamples layers; over several
runs the seeds are the unit, and the band is their range.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from hodograph.modules import ATTENTION
from hodograph.statistics.bootstrap import levels
from hodograph.tables.columns import BY_NAME

DRAWS = 2000
_KEPT = ("storage", "step", "layer", "rows", "cols", "flags", "reliability")


def attention_rows(table: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return the attention matrices and how to call them; all matrices where there are none."""
    rows = table[table["module"].isin(ATTENTION)]
    if rows.empty:
        return table, "all matrices (none is called q, k, v or o)"
    return rows, "the attention matrices (q, k, v, o)"


def layer_mean(
    rows: pd.DataFrame, metric: str, *, weighted: bool = False, interval: bool = True
) -> tuple[float, float, float]:
    """Return the mean over matrices and its 95 % bootstrap interval over layers.

    Matrices without a value are left out. The interval is NaN where fewer than two layers have
    one, or where it is not asked for.

    Args:
        rows: Matrices of one checkpoint in one storage.
        metric: The column.
        weighted: Weigh each matrix by its number of parameters.
        interval: Whether the interval is wanted: seeds, where there are several, take its place.
    """
    values = rows[metric].to_numpy(float)
    known = ~np.isnan(values)
    if not known.any():
        return np.nan, np.nan, np.nan
    weight = (rows["rows"] * rows["cols"]).to_numpy(float) if weighted else np.ones(len(rows))
    layers = np.unique(rows["layer"].fillna(-1).to_numpy(float)[known], return_inverse=True)[1]
    totals = np.bincount(layers, (weight * values)[known])
    weights = np.bincount(layers, weight[known])
    mean = float(totals.sum() / weights.sum())
    if len(totals) < 2 or not interval:
        return mean, np.nan, np.nan
    share = np.full(len(totals), 1 / len(totals))
    counts = np.random.default_rng(0).multinomial(len(totals), share, size=DRAWS)
    low, high = np.quantile((counts @ totals) / (counts @ weights), levels(len(totals)))
    return mean, float(low), float(high)


def doubt(rows: pd.DataFrame, metric: str) -> str:
    """Say why a mean over these matrices is to be doubted, and in how many; '' where it is not.

    Spectra of the update, and what is read off them, carry the reliability of the storage. The
    largest principal angle says little but the gap of W0's spectrum where that is ill-defined.
    """
    family = BY_NAME[metric].family
    if metric in ("angle_left_max", "angle_right_max"):
        hits = rows["flags"].map(lambda flags: flags is not None and "ill_defined" in flags)
        return f"ill_defined {int(hits.sum())}/{len(rows)}" if hits.any() else ""
    if family not in ("spectrum", "lock") and not metric.startswith("sim16"):
        return ""
    for level in ("poor", "caution"):
        hit = int((rows["reliability"] == level).sum())
        if hit:
            return f"{level} {hit}/{len(rows)}"
    return ""


def trajectory(
    table: pd.DataFrame, metric: str, *, weighted: bool = False, interval: bool = True
) -> pd.DataFrame:
    """Return mean, low, high and reliability flag of a metric at each step, in each storage.

    Columns: storage, step, mean, low, high, flag. Steps without any value are left out.
    """
    points = []
    for (storage, step), rows in table[[*_KEPT, metric]].groupby(["storage", "step"], sort=True):
        mean, low, high = layer_mean(rows, metric, weighted=weighted, interval=interval)
        points.append((storage, int(step), mean, low, high, doubt(rows, metric)))
    frame = pd.DataFrame(points, columns=["storage", "step", "mean", "low", "high", "flag"])
    return frame[frame["mean"].notna()]


def over_seeds(trajectories: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Join the trajectories of one arm: as it is for one seed, else mean and range over seeds."""
    if len(trajectories) == 1:
        return trajectories[0]
    joined = pd.concat(trajectories).groupby(["storage", "step"], sort=True, as_index=False)
    return joined.agg(
        low=("mean", "min"), high=("mean", "max"), mean=("mean", "mean"), flag=("flag", "max")
    )
