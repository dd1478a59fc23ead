"""Measurement and study folders whose numbers are known, in the form the product writes.

The rows are planted; `table_of`, `summarise` and the folder are the product's own.
"""

import json
from pathlib import Path
from typing import Any

from hodograph.tables.columns import COLUMNS
from hodograph.tables.lock import lock_of
from hodograph.tables.store import MeasurementFolder, table_of, to_frame
from hodograph.tables.summary import factored, summarise
from hodograph.tables.thresholds import LockThresholds

MODULES = {
    "q_proj": (64, 64),
    "k_proj": (32, 64),
    "v_proj": (32, 64),
    "o_proj": (64, 64),
    "gate_proj": (128, 64),
    "up_proj": (128, 64),
    "down_proj": (64, 128),
}
EXPONENTS = [0, 118, 119, 120, 121, 122, 123]
ENTRIES = [40, 200, 400, 900, 1500, 900, 156]


def matrix_row(
    layer: int,
    module: str,
    step: int,
    storage: str,
    *,
    size: float = 1.0,
    first: int = 20,
    last: int = 100,
) -> dict[str, Any]:
    """One row: values grow with the step and `size`, and differ by layer and module."""
    rows, cols = MODULES[module]
    way = step / last
    place = 1 + 0.1 * layer + 0.02 * list(MODULES).index(module)
    relative = 0.01 * size * way * place
    sparsity = 1 / (1 + 60 * relative)
    row: dict[str, Any] = {column.name: 0.5 for column in COLUMNS if column.is_metric}
    row |= {
        column.name: 2 for column in COLUMNS if column.is_metric and str(column.type) == "int64"
    }
    row |= {column.name: None for column in COLUMNS if column.family == "inputs"}
    row |= {"ulp_0": sparsity, "ulp_1": 0.7 * (1 - sparsity), "ulp_2": 0.3 * (1 - sparsity)}
    row |= {"ulp_3_4": 0.0, "ulp_5_8": 0.0, "ulp_over_8": 0.0, "nonfinite": 0}
    row |= {
        "parameter": f"model.layers.{layer}.self_attn.{module}.weight",
        "layer": layer,
        "module": module,
        "step": step,
        "storage": storage,
        "rows": rows,
        "cols": cols,
        "method": "exact",
        "flags": [],
        "update_sparsity": sparsity,
        "update_sparsity_null": sparsity + 0.002,
        "relative_norm": relative,
        "update_norm": relative * 8,
        "learning_rate_sum": 2e-5 * step,
        "kappa": 0.25 * size,
        "kappa_random_walk": 0.07,
        "angle_right_mean": 60 * relative,
        "nss": 0.1 * relative,
        "nss_null": 0.09 * relative,
        "overlap_principal_30": 0.28,
        "overlap_principal_30_null": 0.281,
        "overlap_principal_30_null_sd": 0.002,
        "overlap_low_30": 0.38,
        "overlap_low_30_null": 0.379,
        "overlap_low_30_null_sd": 0.002,
        "overlap_low_30_expected": 0.378,
        "overlap_principal_50": 0.47,
        "overlap_principal_50_null_sd": 0.002,
        "overlap_low_50": 0.6,
        "overlap_low_50_null": 0.597,
        "overlap_low_50_null_sd": 0.002,
        "stable_rank": 2.0 + layer + way + (3 if storage == "bfloat16" else 0),
        "hill_11": 2.5,
        "sim16_end": 0.5 + 0.5 * way,
        "sim16_chance": 0.25,
        "lock_counts": 1,
        "lock_step": first if storage == "float32" else None,
        "reliability": "caution" if storage == "bfloat16" and layer == 0 else "ok",
        "exponents": EXPONENTS,
        "exponent_entries": ENTRIES,
        "exponent_changed": [0, 180, 300, 450, 375, 90, 0],
    }
    return row


def measurement_rows(
    layers: int = 3,
    steps: tuple[int, ...] = (20, 40, 60, 80, 100),
    storages: tuple[str, ...] = ("float32", "bfloat16"),
    size: float = 1.0,
) -> list[dict[str, Any]]:
    """Rows of a whole measurement."""
    return [
        matrix_row(layer, module, step, storage, size=size, first=steps[0], last=steps[-1])
        for layer in range(layers)
        for module in MODULES
        for step in steps
        for storage in storages
    ]


def write_measurement(
    folder: Path, rows: list[dict[str, Any]], *, digest: str = "ab12cd34ef", **summary: Any
) -> Path:
    """Write rows as a finished measurement folder."""
    table = table_of(rows)
    content = {
        "hodograph": "0.1.0",
        "scope": "linear",
        "base": {"path": "runs/anchor", "digest": digest, "dtype": "float32"},
        "matrices": len({(row["layer"], row["module"]) for row in rows}),
        "parameters": 123456,
        "skipped": [{"parameter": "model.norm.weight", "reason": "not a matrix"}],
        "warnings": [],
        "settings": {"angle_k": 512, "masks": {"rank": 64}},
        "versions": {"torch": "2.13.0"},
        "factored": factored(to_frame(table)),
        "lock": lock_of(to_frame(table), LockThresholds(), 0),
        "checkpoints": [
            {"path": f"runs/step_{one['step']}"} | one for one in summarise(to_frame(table), 0)
        ],
    }
    MeasurementFolder(folder, "planted").finish(table, content | summary)
    return folder


def run_record(name: str, seed: int = 0, **changed: Any) -> dict[str, Any]:
    """One entry of study.json for an arm."""
    return {
        "name": name,
        "role": "arm",
        "seed": seed,
        "objective": name,
        "student": "anchor",
        "teacher": "teacher" if name == "opd" else None,
        "task": "chain",
        "steps": 100,
        "learning_rate": 2e-5,
        "learning_rate_sum": 0.002,
        "w0_digest": f"{seed}a51b2c3d4e5f",
        "accuracy": {
            "start": 0.551,
            "end": 0.742,
            "standard_error": 0.0137,
            "greedy_start": 0.99,
            "greedy_end": 1.0,
        },
        "folder": f"seed_{seed}/{name}",
        "measurement": f"seed_{seed}/{name}/measurement",
    } | changed


ARM_SIZES = {"sft": 1.7, "opd": 1.0, "rlvr": 0.9, "random-reward": 0.4, "opd-half": 0.7}


def write_study(
    folder: Path,
    seeds: tuple[int, ...] = (0,),
    arms: tuple[str, ...] = tuple(ARM_SIZES),
    **more: Any,
) -> Path:
    """Write a study folder: one stage, and each arm measured in each seed."""
    stage = {"role": "stage", "student": "base", "objective": "sft", "measurement": None}
    runs = []
    for seed in seeds:
        runs.append(run_record("anchor", seed, **stage, w0_digest=None))
        for arm in arms:
            runs.append(run_record(arm, seed))
            rows = measurement_rows(size=ARM_SIZES[arm] * (1 + 0.1 * seed))
            write_measurement(folder / runs[-1]["measurement"], rows, digest=runs[-1]["w0_digest"])
    content = {
        "name": "Planted study",
        "description": "Arms whose numbers are known.",
        "seeds": list(seeds),
        "settings": {"profile": "visibility"},
        "versions": {"trl": "1.16.0"},
        "notes": ["The numbers are planted."],
        "runs": runs,
        "command": "hodograph study planted.toml --out study",
        "redraw": "hodograph report study",
    }
    (folder / "study.json").write_text(json.dumps(content | more))
    return folder


def question(name: str, *comparisons: dict[str, Any], **more: Any) -> dict[str, Any]:
    """One entry of study.json's questions."""
    whole = {"name": name, "title": f"Question {name}?", "values": ["update_sparsity"]}
    return whole | {"comparisons": list(comparisons)} | more


def comparison(name: str, *arms: str, shows: tuple[str, ...] = ()) -> dict[str, Any]:
    """One comparison of a question."""
    return {"name": name, "title": f"Of {name}", "arms": list(arms), "shows": list(shows)}


def ledger_row(name: str, words: str, **more: Any) -> dict[str, Any]:
    """One entry of ledger.json with one part of the same verdict."""
    whole = {
        "id": name, "claim": f"claim of {name}", "paper": "8 < 52", "ours": "9 < 24",
        "interval": "1 to 2", "null": "9 < 24", "seeds": [0, 1], "verdict": words,
        "reason": "because of its size", "study": "s", "declared": "before measuring",
        "arms": ["sft", "opd"],
        "parts": [{"part": "sft < opd", "type": "ordering", "verdict": words, "reason": "seeds",
                   "ours": "", "interval": "", "null": "", "numbers": [], "nulls": [],
                   "declared": {"level": 0.05}}],
    }  # fmt: skip
    return whole | more
