"""G1: which weights visibly change once they are stored in bfloat16.

M rows, N columns; F finite entries.
"""

from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor

from hodograph.matrices.precision import ordered_bits

ULP_EDGES = {"ulp_0": (0, 0), "ulp_1": (1, 1), "ulp_2": (2, 2), "ulp_3_4": (3, 4),
             "ulp_5_8": (5, 8), "ulp_over_8": (9, 0xFFFF)}  # fmt: skip


def finite_entries(base_MN: Tensor, tuned_MN: Tensor) -> Bool[Tensor, "M N"]:
    """Entries that are neither NaN nor infinite before and after."""
    return torch.isfinite(base_MN) & torch.isfinite(tuned_MN)


def visibility(base_MN: Tensor, tuned_MN: Tensor) -> dict[str, Any]:
    """Update sparsity, ULP histogram, sign flips and the visibility curve.

    Args:
        base_MN: W0 as stored.
        tuned_MN: W1 as stored.
    """
    finite_MN = finite_entries(base_MN, tuned_MN)
    base_F, tuned_F = base_MN[finite_MN], tuned_MN[finite_MN]
    if not len(base_F):
        return {"nonfinite": finite_MN.numel()}
    before_F, after_F = ordered_bits(base_F), ordered_bits(tuned_F)
    moved_F = (after_F - before_F).abs()
    entries = len(moved_F)
    columns: dict[str, Any] = {
        name: int(((moved_F >= low) & (moved_F <= high)).sum()) / entries
        for name, (low, high) in ULP_EDGES.items()
    }
    columns["update_sparsity"] = columns["ulp_0"]
    columns["density"] = int((moved_F > 0).sum()) / entries
    columns["update_sparsity_native_dtype"] = int((base_F == tuned_F).sum()) / entries
    columns["sign_flips"] = int((before_F.sign() * after_F.sign() < 0).sum()) / entries
    columns["nonfinite"] = finite_MN.numel() - entries
    return columns | _curve(before_F, moved_F > 0)


def _curve(before_F: Tensor, changed_F: Tensor) -> dict[str, Any]:
    exponent_F = before_F.abs() >> 7
    entries = torch.bincount(exponent_F, minlength=256)
    changed = torch.bincount(exponent_F[changed_F], minlength=256)
    present = entries > 0
    return {
        "exponents": present.nonzero().flatten().tolist(),
        "exponent_entries": entries[present].tolist(),
        "exponent_changed": changed[present].tolist(),
    }
