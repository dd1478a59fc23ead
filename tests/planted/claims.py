"""Arms whose tables are planted, as the evidence of claims."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from hodograph.claims.evidence import Evidence, Trained
from hodograph.claims.metrics import COLUMNS

STEPS = (10, 20, 30, 40, 50)
LAYERS = 2
Value = float | None | Sequence[float | None]


def table(
    *,
    size: float = 1.0,
    steps: tuple[int, ...] = STEPS,
    storages: tuple[str, ...] = ("float32",),
    narrow: Mapping[str, Value] | None = None,
    reason: str | None = None,
    **columns: Value,
) -> pd.DataFrame:
    """A run's `matrices`: q_proj of two layers.

    Args:
        size: of the update, in per cent of W0 at the last step.
        steps: checkpoints.
        storages: rows there are.
        narrow: columns as bfloat16 shows them.
        reason: why permutation nulls are empty.
        **columns: one value, or one a step; the rest are 0.5.
    """
    rows = []
    for storage in storages:
        shown = columns | dict(narrow or {}) if storage == "bfloat16" else columns
        for index, step in enumerate(steps):
            norm = 0.01 * size * step / steps[-1]
            row = dict.fromkeys(COLUMNS, 0.5) | {"relative_norm": norm, "update_norm": 8 * norm}
            row |= {name: _at(value, index) for name, value in shown.items()}
            row |= {"step": step, "storage": storage, "rows": 8, "cols": 8, "module": "q_proj"}
            rows += [row | {"layer": layer, "null_reason": reason} for layer in range(LAYERS)]
    return pd.DataFrame(rows)


def _at(value: Value, index: int) -> float | None:
    return value[index] if isinstance(value, list | tuple) else value


def arm(
    make: Callable[[int], pd.DataFrame], seeds: int = 3, w0: str = "anchor"
) -> dict[int, Trained]:
    """An arm whose table of each seed is planted."""
    return {seed: Trained(w0=f"{w0}-{seed}", table=make(seed)) for seed in range(seeds)}


def evaluated(*accuracies: float | None, start: float | None = None) -> dict[int, Trained]:
    """An arm of which only accuracies are known, one a seed, and where all seeds started."""
    return {
        seed: Trained(w0="anchor", accuracy=one, start=start) for seed, one in enumerate(accuracies)
    }


def evidence(**arms: dict[int, Trained]) -> Evidence:
    """A study of these arms."""
    return Evidence("planted", arms)


def verdict(part: Any, found: Evidence) -> str:
    """The verdict of one part."""
    return part.row(part.finding(found)).verdict
