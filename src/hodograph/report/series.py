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


def attention_rows(table: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return the attention matrices and how to call them; all matrices where there are none."""
    rows = table[table["module"].isin(ATTENTION)]
    if rows.empty:
        return table, "all matrices (none is called q, k, v or o)"
    return rows, "the attention matrices (q, k, v, o)"


def layer_mean(
    rows: pd.DataFrame, metric: str, *, weighted: bool = False
) -> tuple[float, float, float]:
    """Return the mean over matrices and its 95 % bootstrap interval over layers.

    Matrices without a value are left out. The interval is NaN where fewer than two layers have
    one.

    Args:
        rows: Matrices of one checkpoint in one storage.
        metric: The column.
        weighted: Weigh each matrix by its number of parameters.
    """
    rows = rows[rows[metric].notna()]
    if rows.empty:
        return np.nan, np.nan, np.nan
    weight = rows["rows"] * rows["cols"] if weighted else pd.Series(1.0, rows.index)
    layers = rows["layer"].fillna(-1)
    totals = (weight * rows[metric]).groupby(layers).sum().to_numpy(float)
    weights = weight.groupby(layers).sum().to_numpy(float)
    mean = float(totals.sum() / weights.sum())
    if len(totals) < 2:
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


def trajectory(table: pd.DataFrame, metric: str, *, weighted: bool = False) -> pd.DataFrame:
    """Return mean, low, high and reliability flag of a metric at each step, in each storage.

    Columns: storage, step, mean, low, high, flag. Steps without any value are left out.
    """
    points = []
    for (storage, step), rows in table.groupby(["storage", "step"], sort=True):
        mean, low, high = layer_mean(rows, metric, weighted=weighted)
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
