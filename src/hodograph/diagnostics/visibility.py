"""G1: which weights visibly change once they are stored in bfloat16.

M rows, N columns.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hodograph.diagnostics.gate import Gate, gate_of
from hodograph.diagnostics.strata import Reals
from hodograph.matrices.bits import (
    MANTISSA,
    Census,
    CountedBase,
    Counts,
    count_base,
    count_finite_changes,
    take_census,
)

ULP_BINS = {"ulp_0": (0, 1), "ulp_1": (1, 2), "ulp_2": (2, 3), "ulp_3_4": (3, 5),
            "ulp_5_8": (5, 9), "ulp_over_8": (9, 10)}  # fmt: skip


@dataclass(frozen=True)
class Visible:
    """What bfloat16 shows of one update.

    Attributes:
        columns: of the row.
        census: what they were counted from; of the finite entries.
        gate: the isotropic update of this density; None where it has no scale.
    """

    columns: dict[str, Any]
    census: Census
    gate: Gate | None


def visibility(base_MN: Tensor, tuned_MN: Tensor) -> dict[str, Any]:
    """The columns of `look`, of W0 and W1 as stored."""
    return look(count_base(base_MN), tuned_MN).columns


def look(base: CountedBase, tuned_MN: Tensor) -> Visible:
    """Update sparsity, ULP histogram, sign flips and the visibility curve.

    Entries that are NaN or infinite before or after are counted and left out.

    Args:
        base: W0.
        tuned_MN: W1 as stored.
    """
    total, census = tuned_MN.numel(), take_census(base, tuned_MN)
    if not census.finite:  # in bfloat16; weights that are rounded to infinity stay
        finite_MN = torch.isfinite(base.weights_MN) & torch.isfinite(tuned_MN)
        if not finite_MN.all():
            base, tuned_MN = count_base(base.weights_MN[finite_MN]), tuned_MN[finite_MN]
            census = take_census(base, tuned_MN)
    entries = tuned_MN.numel()
    if entries == 0:
        return Visible({"nonfinite": total}, census, None)
    columns: dict[str, Any] = {
        name: int(census.moves[low:high].sum()) / entries for name, (low, high) in ULP_BINS.items()
    }
    columns["update_sparsity"] = columns["ulp_0"]
    columns["density"] = int(census.changed_GX.sum()) / entries
    columns["update_sparsity_native_dtype"] = _equal(base, tuned_MN, census) / entries
    columns["sign_flips"] = census.sign_flips / entries
    columns["nonfinite"] = total - entries
    gate = gate_of(_strata(census.entries_X), columns["density"], on_grid=base.on_grid)
    return Visible(columns | _curve(census, gate), census, gate)


def sparsity(base_MN: Tensor, tuned_MN: Tensor) -> dict[str, Any]:
    """Update sparsity alone, at the speed the bits can be read."""
    changed, entries = count_finite_changes(base_MN, tuned_MN), base_MN.numel()
    if changed is None:
        seen = visibility(base_MN, tuned_MN)
        return {
            name: seen[name] for name in ("update_sparsity", "density", "nonfinite") if name in seen
        }
    return {
        "update_sparsity": (entries - changed) / entries,
        "density": changed / entries,
        "nonfinite": 0,
    }


def _equal(base: CountedBase, tuned_MN: Tensor, census: Census) -> int:
    """Entries whose stored values are equal; where both are bfloat16 they are counted already."""
    if base.weights_MN.dtype == tuned_MN.dtype == torch.bfloat16:
        return int(census.moves[0])
    return int(torch.count_nonzero(base.weights_MN == tuned_MN))


def _strata(entries_X: Counts) -> Reals:
    """Entries by stratum: exponent of W0, mantissas other than zero and zero."""
    by_exponent = entries_X.reshape(256, 1 << MANTISSA).astype(float)
    return np.stack([by_exponent[:, 1:].sum(axis=1), by_exponent[:, 0]], axis=1).ravel()


def _curve(census: Census, gate: Gate | None) -> dict[str, Any]:
    """Entries and changes by biased exponent of W0, and the changes an isotropic update gives."""
    by_exponent, entries_X = (256, 1 << MANTISSA), census.entries_X
    entries = entries_X.reshape(by_exponent).sum(axis=1)
    changed = census.changed_X.reshape(by_exponent).sum(axis=1)
    present = entries > 0
    columns: dict[str, Any] = {
        "exponents": present.nonzero()[0].tolist(),
        "exponent_entries": entries[present].tolist(),
        "exponent_changed": changed[present].tolist(),
    }
    if gate is not None:
        expected = (gate.chance_S * _strata(entries_X)).reshape(256, 2).sum(axis=1)
        columns["gate_scale"] = gate.scale
        columns["exponent_gate"] = (expected[present] / entries[present]).tolist()
    return columns
