"""From one row a matrix and setting to means, and to the order of runs under each setting."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from hodograph.statistics.bootstrap import layer_intervals


def summarise_sweep(table: pd.DataFrame, digests: Mapping[str, str], seed: int) -> dict[str, Any]:
    """Mean of every metric under every setting, and whether the runs keep their order.

    Intervals are 95 % bootstraps over layers. Runs are ordered only where all start from one W0.

    Args:
        table: columns of hodograph.tables.sweep.
        digests: of each run's W0.
        seed: of the bootstrap.
    """
    means = [
        {"run": run, "choice": choice, "metric": metric, "setting": float(setting)}
        | _mean(group, seed)
        for (choice, metric, run, setting), group in table.groupby(
            ["choice", "metric", "run", "setting"], sort=True
        )
    ]
    comparable = len(set(digests.values())) == 1 and len(digests) > 1
    return {
        "digests": dict(digests),
        "means": means,
        "orders": _orders(means) if comparable else [],
        "not_ordered": "" if comparable or len(digests) < 2 else "the runs start from different W0",
    }


def _mean(group: pd.DataFrame, seed: int) -> dict[str, Any]:
    values = group[["value", "null"]].astype("float64")
    weights = values.notna().astype("float64")
    layers = group["layer"].fillna(-1).astype("int64")
    intervals = layer_intervals(values, weights, layers, np.random.default_rng(seed))
    interval = intervals.get("value", {"low": None, "high": None})
    return {
        "n": int(values["value"].notna().sum()),
        "lowered": int((group["used"] < group["setting"]).sum()),
        "value": _known(values["value"]),
        "null": _known(values["null"]),
        "low": interval["low"],
        "high": interval["high"],
    }


def _known(values: pd.Series) -> float | None:
    return float(values.mean()) if values.notna().any() else None


def _orders(means: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each metric and setting the runs in ascending order; `same` where no setting differs."""
    found: dict[tuple[str, str], dict[float, list[tuple[float, str]]]] = {}
    for one in means:
        if one["value"] is not None:
            settings = found.setdefault((one["choice"], one["metric"]), {})
            settings.setdefault(one["setting"], []).append((one["value"], one["run"]))
    return [
        {"choice": choice, "metric": metric, **_order(settings)}
        for (choice, metric), settings in found.items()
    ]


def _order(settings: dict[float, list[tuple[float, str]]]) -> dict[str, Any]:
    orders = {setting: [run for _, run in sorted(runs)] for setting, runs in settings.items()}
    same = len({tuple(order) for order in orders.values()}) == 1
    by_setting = [{"setting": setting, "order": order} for setting, order in orders.items()]
    return {"same": same, "settings": by_setting}
