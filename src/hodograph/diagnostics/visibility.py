"""G1: which weights visibly change once they are stored in bfloat16.

M rows, N columns.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from hodograph.diagnostics.gate import Gate, gate_of
from hodograph.diagnostics.strata import Reals
from hodograph.matrices.bits import (
    MANTISSA,
    Census,
    all_finite,
    bits_of,
    count_changed,
    take_census,
)
from hodograph.matrices.precision import all_entries_finite, on_bfloat16_grid

ULP_BINS = {"ulp_0": (0, 1), "ulp_1": (1, 2), "ulp_2": (2, 3), "ulp_3_4": (3, 5),
            "ulp_5_8": (5, 9), "ulp_over_8": (9, 10)}  # fmt: skip


def visibility(base_MN: Tensor, tuned_MN: Tensor) -> dict[str, Any]:
    """Update sparsity, ULP histogram, sign flips and the visibility curve.

    Entries that are NaN or infinite before or after are counted and left out.

    Args:
        base_MN: W0 as stored.
        tuned_MN: W1 as stored.
    """
    total = base_MN.numel()
    if not (all_entries_finite(base_MN) and all_entries_finite(tuned_MN)):
        finite_MN = torch.isfinite(base_MN) & torch.isfinite(tuned_MN)
        base_MN, tuned_MN = base_MN[finite_MN], tuned_MN[finite_MN]
    entries = base_MN.numel()
    if entries == 0:
        return {"nonfinite": total}
    census = take_census(bits_of(base_MN), bits_of(tuned_MN))
    columns: dict[str, Any] = {
        name: int(census.moves[low:high].sum()) / entries for name, (low, high) in ULP_BINS.items()
    }
    columns["update_sparsity"] = columns["ulp_0"]
    columns["density"] = int(census.changed.sum()) / entries
    columns["update_sparsity_native_dtype"] = int((base_MN == tuned_MN).sum()) / entries
    columns["sign_flips"] = census.sign_flips / entries
    columns["nonfinite"] = total - entries
    gate = gate_of(_strata(census), columns["density"], on_grid=on_bfloat16_grid(base_MN))
    return columns | _curve(census, gate)


def sparsity(base_MN: Tensor, tuned_MN: Tensor) -> dict[str, Any]:
    """Update sparsity alone, at the speed the bits can be read."""
    base, tuned = bits_of(base_MN), bits_of(tuned_MN)
    if not (all_finite(base) and all_finite(tuned)):
        seen = visibility(base_MN, tuned_MN)
        return {
            name: seen[name] for name in ("update_sparsity", "density", "nonfinite") if name in seen
        }
    changed, entries = count_changed(base, tuned), len(base)
    return {
        "update_sparsity": (entries - changed) / entries,
        "density": changed / entries,
        "nonfinite": 0,
    }


def _strata(census: Census) -> Reals:
    """Entries by stratum: exponent of W0, mantissas other than zero and zero."""
    by_exponent = census.entries.reshape(256, 1 << MANTISSA).astype(float)
    return np.stack([by_exponent[:, 1:].sum(axis=1), by_exponent[:, 0]], axis=1).ravel()


def _curve(census: Census, gate: Gate | None) -> dict[str, Any]:
    """Entries and changes by biased exponent of W0, and the changes an isotropic update gives."""
    by_exponent = (256, 1 << MANTISSA)
    entries = census.entries.reshape(by_exponent).sum(axis=1)
    changed = census.changed.reshape(by_exponent).sum(axis=1)
    present = entries > 0
    columns: dict[str, Any] = {
        "exponents": present.nonzero()[0].tolist(),
        "exponent_entries": entries[present].tolist(),
        "exponent_changed": changed[present].tolist(),
    }
    if gate is not None:
        expected = (gate.chance_S * _strata(census)).reshape(256, 2).sum(axis=1)
        columns["gate_scale"] = gate.scale
        columns["exponent_gate"] = (expected[present] / entries[present]).tolist()
    return columns
