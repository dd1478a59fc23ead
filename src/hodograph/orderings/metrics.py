"""Which metrics arms are ordered by, and how one run's table gives them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from hodograph.modules import ATTENTION
from hodograph.statistics.matching import Curve

Kind = Literal["size", "visible", "spectral"]


@dataclass(frozen=True)
class Ordered:
    """A metric that arms are ordered by.

    Attributes:
        column: of the `matrices` table.
        title: as a sentence says it.
        kind: "size" is displacement itself; "visible" is read off bfloat16 values, so that storage
            may make it; "spectral" is read off the update as stored.
        scale: what a value is multiplied by to be written.
        unit: of the written value.
        points: of a written difference.
        weighted: whether matrices count by their entries.
        attention: whether only q, k, v and o count, as in the paper's trajectories.
    """

    column: str
    title: str
    kind: Kind
    scale: float = 1
    unit: str = ""
    points: str = ""
    weighted: bool = False
    attention: bool = False


def _share(column: str, title: str, kind: Kind, *, weighted: bool = False) -> Ordered:
    return Ordered(column, title, kind, 100, " %", " points", weighted)


ORDERED = (
    _share("update_sparsity", "update sparsity", "visible", weighted=True),
    _share("overlap_principal_30", "principal overlap (α = .3)", "visible"),
    _share("overlap_low_30", "low-magnitude overlap (α = .3)", "visible"),
    _share("relative_norm", "relative norm", "size"),
    Ordered("kappa", "κ", "size"),
    Ordered("angle_left_mean", "mean principal angle, left", "spectral", 1, "°", "°"),
    Ordered("angle_right_mean", "mean principal angle, right", "spectral", 1, "°", "°"),
    Ordered("nss", "normalized spectral shift", "spectral", 1000, " × 10⁻³", " × 10⁻³"),
    _share("principal_energy_right_16", "energy in W0's top 16, right", "spectral"),
    Ordered("stable_rank", "stable rank (attention)", "spectral", attention=True),
    Ordered("hill_11", "Hill estimate, k = 11 (attention)", "spectral", attention=True),
)
NULLS = {  # of what is read off bfloat16 values: a permuted update, else the Gaussian gate
    "update_sparsity": ("update_sparsity_null",),
    "overlap_principal_30": ("overlap_principal_30_null", "overlap_principal_30_gate"),
    "overlap_low_30": ("overlap_low_30_null", "overlap_low_30_gate"),
}
IDENTITY = ("layer", "module", "step", "storage", "rows", "cols", "null_reason")
COLUMNS = (
    *IDENTITY,
    *(one.column for one in ORDERED),
    *(null for names in NULLS.values() for null in names),
)
"""Columns of `matrices` that orderings are read from."""


WIDE = ("float32", "float64")


@dataclass(frozen=True)
class Seen:
    """One metric of one run.

    Attributes:
        value: mean at the last step, as stored.
        narrow: the same as bfloat16 shows it; None where the table has no such rows.
        wide: whether the weights are stored in 32 bits or more and were not rounded before.
        nulls: the means of its nulls there, those that every matrix with a value has.
        curve: the metric against the relative norm, along the trajectory.
        by_layer: its mean in each layer at the last step.
    """

    value: float
    narrow: float | None
    wide: bool
    nulls: Mapping[str, float]
    curve: Curve
    by_layer: pd.Series


def stored(table: pd.DataFrame) -> str:
    """The precision the weights are stored in, where bfloat16 is shown beside it."""
    return min(table["storage"].unique(), key=lambda name: (name == "bfloat16", name))


def trajectory(table: pd.DataFrame, metric: Ordered, storage: str) -> pd.Series:
    """Mean of a metric at each step as one storage sees it; steps without a value are left out."""
    rows = _scope(table, metric)
    rows = rows[rows["storage"] == storage]
    return _means(rows, metric.column, rows["step"], metric).dropna()


def seen(table: pd.DataFrame, metric: Ordered) -> Seen | None:
    """Read a metric off a run's table; None where no matrix has it at the last step."""
    storage = stored(table)
    rows = _scope(table, metric)[_needed(metric)]
    own = rows[rows["storage"] == storage]
    end = own["step"].max()
    last = own[(own["step"] == end) & own[metric.column].notna()]
    if last.empty:
        return None
    narrow = rows[(rows["storage"] == "bfloat16") & (rows["step"] == end)]
    unshown = storage == "bfloat16" or narrow[metric.column].isna().all()
    reasons = set(own["null_reason"].dropna()) - {"no_update"}
    values_T = _means(own, metric.column, own["step"], metric)
    return Seen(
        value=float(values_T.iloc[-1]),
        narrow=None if unshown else _mean(narrow, metric.column, metric),
        wide=storage in WIDE and not reasons,
        nulls={
            null: _mean(last, null, metric)
            for null in NULLS.get(metric.column, ())
            if last[null].notna().all()
        },
        curve=Curve(own.groupby("step")["relative_norm"].mean().tolist(), values_T.tolist()),
        by_layer=_means(last, metric.column, last["layer"].fillna(-1).astype("int64"), metric),
    )


def _needed(metric: Ordered) -> list[str]:
    """The columns a metric is read from: copying all of a wide table costs more than the rest."""
    return [
        *dict.fromkeys((*IDENTITY, "relative_norm", metric.column, *NULLS.get(metric.column, ())))
    ]


def _scope(table: pd.DataFrame, metric: Ordered) -> pd.DataFrame:
    chosen = table["module"].isin(ATTENTION)
    return table[chosen] if metric.attention and chosen.any() else table


def _mean(rows: pd.DataFrame, column: str, metric: Ordered) -> float:
    """Mean over the matrices that have a value."""
    return float(_means(rows, column, pd.Series(0, rows.index), metric).iloc[0])


def _means(rows: pd.DataFrame, column: str, by: pd.Series, metric: Ordered) -> pd.Series:
    """The same in each group, in the order of its keys; NaN where no matrix has a value."""
    values = rows[column].to_numpy(float)
    weights = np.where(np.isnan(values), 0.0, _weights(rows, metric))
    keys, groups = np.unique(by.to_numpy(), return_inverse=True)
    total = np.bincount(groups, weights)
    sums = np.bincount(groups, weights * np.nan_to_num(values))
    found = np.divide(sums, total, out=np.full(len(keys), np.nan), where=total > 0)
    return pd.Series(found, pd.Index(keys, name=by.name))


def _weights(rows: pd.DataFrame, metric: Ordered) -> np.ndarray:
    """Entries of each matrix where they count, else 1."""
    if not metric.weighted:
        return np.ones(len(rows))
    return rows["rows"].to_numpy(float) * rows["cols"].to_numpy(float)
