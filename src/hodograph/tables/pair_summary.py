"""From one row a matrix to what two runs have in common and what sets them apart."""

from typing import Any

import numpy as np
import pandas as pd

from hodograph.statistics.bootstrap import layer_intervals
from hodograph.statistics.permutation import adjusted, sign_flip
from hodograph.tables.pairs import PAIR_METRICS, SHARED
from hodograph.tables.summary import WEIGHTED


def summarise_pairs(pairs: pd.DataFrame, seed: int) -> dict[str, Any]:
    """Means with intervals, differences with tests, and the same by module.

    Intervals are 95 % bootstraps over layers. Differences are A - B, tested by flipping the signs
    of whole layers; `q` adjusts for the number of tests: over the metrics in `differences`, over
    all modules and metrics in `modules`, the cells of one heat map. Sparsities are weighted by the
    matrices' sizes in both, as in `summarise`.
    """
    differences = [_difference(pairs, metric, seed) for metric in SHARED]
    modules = [
        {"module": module} | _difference(group, metric, seed)
        for module, group in pairs.groupby("module", sort=True)
        for metric in SHARED
    ]
    return {
        "whole": whole(pairs),
        "metrics": _metrics(pairs, seed),
        "differences": _with_q(differences),
        "modules": _with_q(modules),
    }


def whole(pairs: pd.DataFrame) -> dict[str, float | None]:
    """The two updates as one long vector each: cosine, norms, relative norms."""
    known = pairs.dropna(subset=["update_norm_a", "update_norm_b"])
    norm_a, norm_b = (known[f"update_norm_{run}"].astype("float64") for run in "ab")
    inner = float((known["cosine"].astype("float64").fillna(0) * norm_a * norm_b).sum())
    base = _length(known["base_norm"])
    total_a, total_b = _length(norm_a), _length(norm_b)
    moved = total_a > 0 and total_b > 0
    return {
        "cosine": inner / (total_a * total_b) if moved else None,
        "update_norm_a": total_a,
        "update_norm_b": total_b,
        "relative_norm_a": total_a / base if base > 0 else None,
        "relative_norm_b": total_b / base if base > 0 else None,
    }


def _length(norms: pd.Series) -> float:
    return float(np.linalg.norm(norms.astype("float64")))


def _metrics(pairs: pd.DataFrame, seed: int) -> dict[str, Any]:
    values = pairs[list(PAIR_METRICS)].astype("float64")
    weights = values.notna().astype("float64")
    intervals = layer_intervals(values, weights, _layers(pairs), np.random.default_rng(seed))
    summary = {}
    for name in PAIR_METRICS:
        column = values[name].dropna()
        entry: dict[str, Any] = {"n": len(column), "mean": None, "median": None}
        if len(column):
            entry |= {"mean": float(column.mean()), "median": float(column.median())}
            entry |= intervals.get(name, {"low": None, "high": None})
        summary[name] = entry
    return summary


def _difference(pairs: pd.DataFrame, metric: str, seed: int) -> dict[str, Any]:
    sides = pairs[[f"{metric}_a", f"{metric}_b"]].astype("float64").dropna()
    sides.columns = ["a", "b"]
    sides["difference"] = sides["a"] - sides["b"]
    layers, weights = _layers(pairs).loc[sides.index], _weights(pairs.loc[sides.index], metric)
    by_layer = sides["difference"].mul(weights).groupby(layers).sum()
    tested = sign_flip(by_layer / weights.groupby(layers).sum(), seed)
    frame = pd.DataFrame(dict.fromkeys(sides.columns, weights))
    intervals = layer_intervals(sides, frame, layers, np.random.default_rng(seed))
    interval = intervals.get("difference", {"low": None, "high": None})
    return {
        "metric": metric,
        "n": len(sides),
        **{name: _mean(sides[name], weights) for name in sides.columns},
        **interval,
        "layers": tested.layers,
        "p": tested.p,
        "least_p": tested.least_p if tested.p is not None else None,
        "exact": tested.exact,
    }


def _with_q(tests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    corrected = adjusted([test["p"] for test in tests])
    return [test | {"q": q} for test, q in zip(tests, corrected, strict=True)]


def _layers(pairs: pd.DataFrame) -> pd.Series:
    """The layer of each row; what lies outside the layers counts as one."""
    return pairs["layer"].fillna(-1).astype("int64")


def _weights(pairs: pd.DataFrame, metric: str) -> pd.Series:
    """Sizes of the matrices where the metric is a share of entries, else 1."""
    sizes = pairs["rows"].astype("float64") * pairs["cols"].astype("float64")
    return sizes if metric in WEIGHTED else sizes * 0 + 1


def _mean(values: pd.Series, weights: pd.Series) -> float | None:
    return float(np.average(values, weights=weights)) if len(values) else None
