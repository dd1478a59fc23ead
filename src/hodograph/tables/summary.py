"""From one row a matrix to one number a checkpoint, with an interval over layers."""

from collections import defaultdict
from typing import Any

import numpy as np
import pandas as pd

from hodograph.statistics.bootstrap import layer_intervals
from hodograph.tables.columns import METRICS

WEIGHTED = (
    "update_sparsity", "update_sparsity_null", "update_sparsity_native_dtype", "density",
    "sign_flips", "ulp_0", "ulp_1", "ulp_2", "ulp_3_4", "ulp_5_8", "ulp_over_8",
)  # fmt: skip


def with_energy_share(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Fill energy_share: each matrix's part of the update's energy at its step and storage."""
    total: dict[tuple[int, str], float] = defaultdict(float)
    for row in rows:
        total[row["step"], row["storage"]] += row.get("update_norm", 0.0) ** 2
    filled = []
    for row in rows:
        energy = total[row["step"], row["storage"]]
        known = "update_norm" in row and energy > 0
        filled.append(row | {"energy_share": row["update_norm"] ** 2 / energy if known else None})
    return filled


def summarise(matrices: pd.DataFrame, seed: int) -> list[dict[str, Any]]:
    """Mean, median, count and interval of every metric, for each step and storage.

    `weighted` is the mean weighted by the matrices' sizes, where that is the definition. `low` and
    `high` bound it, or else the mean, by a 95 % bootstrap over layers, since the
    matrices of one layer are not independent; with one layer there is none.
    """
    groups = matrices.groupby(["step", "storage"], sort=True)
    return [
        {
            "step": int(step),
            "storage": storage,
            "matrices": len(group),
            "metrics": _metrics(group, np.random.default_rng(seed)),
        }
        for (step, storage), group in groups
    ]


def factored(matrices: pd.DataFrame) -> dict[str, Any]:
    """How many rows have a spectrum, by `method`, and how many a certificate beyond its target."""
    known = matrices[matrices["method"].notna()]
    uncertified = sum("uncertified" in flags for flags in known["flags"])
    methods = known["method"].value_counts().sort_index()
    return {
        "rows": len(known),
        "methods": {str(name): int(rows) for name, rows in methods.items()},
        "uncertified": uncertified,
    }


def _metrics(group: pd.DataFrame, generator: np.random.Generator) -> dict[str, Any]:
    values = group[list(METRICS)].astype("float64")
    known = values.dropna(axis="columns", how="all")
    weights = _weights(group, known)
    intervals = layer_intervals(known, weights, group["layer"].fillna(-1), generator)
    summary = {}
    for name in METRICS:
        column = values[name].dropna()
        entry: dict[str, Any] = {"n": len(column), "mean": None, "median": None}
        if len(column):
            entry |= {"mean": float(column.mean()), "median": float(column.median())}
            entry |= intervals.get(name, {"low": None, "high": None})
            if name in WEIGHTED:
                entry["weighted"] = float(np.average(column, weights=weights[name][column.index]))
        summary[name] = entry
    return summary


def _weights(group: pd.DataFrame, values: pd.DataFrame) -> pd.DataFrame:
    """Weight of every value: its matrix's size where that is the definition, else 1."""
    size = group["rows"].astype("float64") * group["cols"].astype("float64")
    ones = pd.Series(1.0, index=group.index)
    columns = {name: size if name in WEIGHTED else ones for name in values.columns}
    return pd.DataFrame(columns).where(values.notna(), 0.0)
