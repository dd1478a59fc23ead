"""G5: where visible updates land, against masks of W0 and against a permuted update.

M rows, N columns, E = M N entries.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from hodograph.diagnostics.circle import turned
from hodograph.diagnostics.gate import Gate
from hodograph.diagnostics.masks import Masks
from hodograph.diagnostics.strata import Reals, Strata, compare, strata_of
from hodograph.diagnostics.visibility import Visible
from hodograph.matrices.update import Update
from hodograph.tables.columns import ALPHAS


@dataclass(frozen=True)
class Permutations:
    """How often and from which seed an update is permuted within its matrix."""

    count: int
    seed: int


def landing(visible: Visible, masks: Masks) -> dict[str, Any]:
    """Share of the visibly changed entries inside each mask, with its bounds, lift and nulls.

    Args:
        visible: what changed of `masks.base`, all of it finite.
        masks: those of W0.
    """
    density = visible.columns["density"]
    if density == 0:
        return {}
    strata = strata_of(visible.census, masks.low_X)
    columns: dict[str, Any] = {}
    for alpha in ALPHAS:
        share = alpha / 100
        columns[f"overlap_{alpha}_lower"] = max(0.0, 1 - (1 - share) / density)
        columns[f"overlap_{alpha}_upper"] = min(1.0, share / density)
        for mask in ("principal", "low"):
            weight_C = masks.weights[f"{mask}_{alpha}"]
            name, overlap = f"overlap_{mask}_{alpha}", strata.overlap(weight_C)
            columns |= {name: overlap, f"{name}_lift": overlap / share}
            columns |= _beside(name, strata, weight_C, visible.gate)
    return columns


def _beside(name: str, strata: Strata, weight_C: Reals, gate: Gate | None) -> dict[str, Any]:
    """What storage alone gives for one overlap: within strata, and through the gate."""
    found = compare(strata, weight_C)
    columns: dict[str, Any] = {
        f"{name}_expected": found.expected,
        f"{name}_odds_ratio": found.odds_ratio,
        f"{name}_z": found.z,
    }
    if gate is not None:
        entries_S, inside_S = strata.entries_SC.sum(axis=1), strata.entries_SC @ weight_C
        columns[f"{name}_gate"] = gate.overlap(entries_S, inside_S)
    return columns


def permutation_null(
    update: Update, masks: Masks, permutations: Permutations, reason: str | None
) -> dict[str, Any]:
    """Sparsity and overlaps after permuting D within the matrix: size kept, place forgotten.

    Exact where D is stored in float32 or wider; an update already rounded to 16 bits must not be
    permuted, since its sizes carry the exponents of the places they came from.
    """
    if reason is not None:
        return {"null_reason": reason}
    drawn: list[dict[str, float]] = []
    for changed_C in turned(update, masks.cell_E, permutations.count, permutations.seed):
        overlaps = masks.overlaps(changed_C) or {}
        draw = {f"overlap_{name}": share for name, share in overlaps.items()}
        drawn.append(draw | {"update_sparsity": 1 - int(changed_C.sum()) / len(masks.grade_E)})
    return _moments(drawn)


def null_reason(update: Update) -> str | None:
    """Why the permutation null cannot be had for this update, or None."""
    if update.norm == 0:
        return "no_update"
    if update.storage not in ("float32", "float64"):
        return f"stored in {update.storage}"
    if update.tuned_grid == "bfloat16":
        return f"stored in {update.storage}, but rounded to bfloat16 before"
    return None


def _moments(drawn: list[dict[str, float]]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for name in sorted({name for draw in drawn for name in draw}):
        values = np.array([draw[name] for draw in drawn if name in draw])
        columns[f"{name}_null"] = float(values.mean())
        if name != "update_sparsity" and len(values) > 1:
            columns[f"{name}_null_sd"] = float(values.std(ddof=1))
    return columns
