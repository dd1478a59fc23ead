"""From one row a matrix to the numbers a verdict on each gate is made from."""

from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from hodograph.statistics.bootstrap import LEVEL, layer_intervals

Numbers = dict[str, Any]
RANK, ENERGY = "gradient_effective_rank", "gradient_energy_right"


def summarise_gates(table: pd.DataFrame, seed: int) -> list[Numbers]:
    """The numbers of every checkpoint, ascending by step.

    Args:
        table: columns of hodograph.tables.gates.
        seed: of the bootstrap over layers.
    """
    return [
        {"step": int(rows["step"].iloc[0]), "I": _leash(rows, seed), "II": _gradient(rows, seed),
         "III": _visible(rows, seed)}
        for _, rows in table.groupby("step", sort=True)
    ]  # fmt: skip


def _leash(rows: pd.DataFrame, seed: int) -> Numbers:
    first = rows.iloc[0]
    null, spent = _known(first["quadratic_isotropic"]), _known(first["kl_to_anchor"])
    norm = _known(first["relative_norm_model"])
    permitted = None if not null or norm is None else norm * (max(spent or 0.0, 0.0) / null) ** 0.5
    return {
        "kl_to_anchor": _over_prompts(first, "kl_to_anchor"),
        "kl_step": _over_prompts(first, "kl_step") | {"steps": int(first["kl_step_length"])},
        "bound": {"value": permitted},
        "null": {"value": null, "se": _known(first["quadratic_isotropic_se"])},
        "quadratic": {"value": _known(first["quadratic"])},
        "kl_from_anchor": _over_prompts(first, "kl_from_anchor"),
        "relative_norm": {"value": norm},
        "curvature_ratio": _over_layers(rows, "curvature_ratio", seed),
        "curvature_ratio_inputs": _over_layers(rows, "curvature_ratio_inputs", seed),
    }


def _gradient(rows: pd.DataFrame, seed: int) -> Numbers:
    return {
        "effective_rank_shared": _over_layers(rows, f"{RANK}_shared", seed),
        "effective_rank_per_token": _over_layers(rows, f"{RANK}_per_token", seed),
        "difference": _apart(rows, RANK, "", seed),
        "null": _both(rows, RANK, "_permuted", seed),
        "signs": _both(rows, RANK, "_signs", seed),
        "covariance": _both(rows, "covariance_effective_rank", "", seed),
        "principal_energy": {
            kind: _over_layers(rows, f"{ENERGY}_{kind}", seed) for kind in ("shared", "per_token")
        },
        "isotropic": {"value": _over_layers(rows, f"{ENERGY}_isotropic", seed)["value"]},
        "inputs": _over_layers(rows, f"{ENERGY}_inputs", seed),
    }


def _visible(rows: pd.DataFrame, seed: int) -> Numbers:
    names = {
        "deviation": "visibility_deviation",
        "null": "visibility_deviation_null",
        "permuted": "visibility_deviation_permuted",
        "largest": "visibility_largest",
        "largest_null": "visibility_largest_null",
        "largest_permuted": "visibility_largest_permuted",
    }
    found = {name: _over_layers(rows, column, seed) for name, column in names.items()}
    return found | {"curve": _curve(rows)}


def _both(rows: pd.DataFrame, name: str, suffix: str, seed: int) -> Numbers:
    kinds = ("shared", "per_token")
    found = {kind: _over_layers(rows, f"{name}_{kind}{suffix}", seed) for kind in kinds}
    return found | {"difference": _apart(rows, name, suffix, seed)}


def _apart(rows: pd.DataFrame, name: str, suffix: str, seed: int) -> Numbers:
    """Per token minus shared, matrix by matrix."""
    apart = rows[f"{name}_per_token{suffix}"] - rows[f"{name}_shared{suffix}"]
    return _over_layers(rows.assign(apart=apart), "apart", seed)


def _over_prompts(row: pd.Series, name: str) -> Numbers:
    value, se = _known(row[name]), _known(row[f"{name}_se"])
    if value is None or se is None:
        return {"value": value, "se": se, "low": None, "high": None}
    half = float(stdtrit(int(row["prompts"]) - 1, 0.5 + LEVEL / 2)) * se
    return {"value": value, "se": se, "low": value - half, "high": value + half}


def _over_layers(rows: pd.DataFrame, name: str, seed: int) -> Numbers:
    """Mean over matrices, with a 95 % bootstrap interval over layers."""
    values = rows[[name]].astype("float64")
    known = values[name].dropna()
    if known.empty:
        return {"value": None, "low": None, "high": None, "n": 0}
    layers = rows["layer"].fillna(-1).astype("int64")
    generator = np.random.default_rng(seed)
    found = layer_intervals(values, values.notna().astype("float64"), layers, generator)
    interval = found.get(name, {"low": None, "high": None})
    return {"value": float(known.mean())} | interval | {"n": len(known)}


def _curve(rows: pd.DataFrame) -> list[Numbers]:
    """Observed and predicted shares by exponent, over the entries of all matrices."""
    sums: dict[int, dict[str, float]] = {}
    complete = True
    for row in rows[rows["exponent_gate"].notna()].to_dict("records"):
        entries = np.asarray(row["exponent_entries"], dtype=float)
        permuted = row["exponent_permuted"]
        complete &= permuted is not None
        columns = {
            "entries": entries,
            "observed": np.asarray(row["exponent_changed"], dtype=float),
            "predicted": entries * np.asarray(row["exponent_gate"]),
            "permuted": entries * (0.0 if permuted is None else np.asarray(permuted)),
        }
        for place, exponent in enumerate(row["exponents"]):
            at = sums.setdefault(int(exponent), dict.fromkeys(columns, 0.0))
            for name, values in columns.items():
                at[name] += float(values[place])
    return [_point(exponent, sums[exponent], complete) for exponent in sorted(sums)]


def _point(exponent: int, at: dict[str, float], permuted: bool) -> Numbers:
    entries = at["entries"]
    return {
        "exponent": exponent,
        "entries": int(entries),
        "observed": at["observed"] / entries,
        "predicted": at["predicted"] / entries,
        "permuted": at["permuted"] / entries if permuted else None,
    }


def _known(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)
