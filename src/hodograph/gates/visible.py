"""Gate III: which weights visibly change, against what an isotropic update of that density gives.

M rows, N columns.
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from hodograph.diagnostics.landing import null_reason
from hodograph.diagnostics.visibility import look
from hodograph.matrices.bits import count_base
from hodograph.matrices.update import stored_update

Row = dict[str, Any]
LEAST_SHARE = 0.01  # of the matrix's entries, for an exponent to count in the largest difference
CURVE = ("exponents", "exponent_entries", "exponent_changed", "exponent_gate")


def visible_row(
    base_MN: Float[Tensor, "M N"], tuned_MN: Float[Tensor, "M N"], draws: int, seed: int
) -> Row:
    """The visibility curve of one matrix, how far it is from the gate's, and two nulls.

    The Gaussian null is an isotropic update of the gate's own scale, seen in the same way and held
    against its own gate: what sampling of entries alone leaves. Permuting D keeps the sizes of the
    changes; what it leaves beyond the Gaussian null is their distribution, and what the update has
    beyond it is their place. It needs D unrounded, so it is empty for 16-bit checkpoints.

    Args:
        base_MN: W0 as stored.
        tuned_MN: W_t as stored.
        draws: of each null.
        seed: of the draws.
    """
    counted = count_base(base_MN)
    curve = look(counted, tuned_MN).columns
    if "exponent_gate" not in curve:
        return {name: curve[name] for name in CURVE if name in curve}
    row: Row = {name: curve[name] for name in CURVE} | _deviations(curve, "")
    generator = torch.Generator().manual_seed(seed)
    weights_MN = base_MN.float()
    steps = (_gaussian(weights_MN, curve["gate_scale"], generator) for _ in range(draws))
    gaussian = [look(counted, weights_MN + step_MN).columns for step_MN in steps]
    row |= _mean([_deviations(one, "_null") for one in gaussian])
    if null_reason(stored_update(base_MN, tuned_MN)) is None:
        update_MN = tuned_MN.float() - weights_MN
        steps = (_permuted(update_MN, generator) for _ in range(draws))
        permuted = [look(counted, weights_MN + step_MN).columns for step_MN in steps]
        row |= _mean([_deviations(one, "_permuted") for one in permuted])
        row["exponent_permuted"] = np.mean([_shares(one) for one in permuted], axis=0).tolist()
    return row


def _gaussian(weights_MN: Tensor, scale: float, generator: torch.Generator) -> Tensor:
    return scale * torch.randn(weights_MN.shape, generator=generator)


def _permuted(update_MN: Tensor, generator: torch.Generator) -> Tensor:
    order = torch.randperm(update_MN.numel(), generator=generator)
    return update_MN.flatten()[order].reshape(update_MN.shape)


def _shares(curve: Row) -> np.ndarray:
    """Share of the entries of each exponent that visibly changed."""
    return np.asarray(curve["exponent_changed"]) / np.asarray(curve["exponent_entries"])


def _deviations(curve: Row, suffix: str) -> Row:
    """Mean over entries, and largest over common exponents, of |observed - predicted|."""
    if "exponent_gate" not in curve:
        return {}
    share = np.asarray(curve["exponent_entries"]) / sum(curve["exponent_entries"])
    apart = np.abs(_shares(curve) - np.asarray(curve["exponent_gate"]))
    return {
        f"visibility_deviation{suffix}": float(share @ apart),
        f"visibility_largest{suffix}": float(apart[share >= LEAST_SHARE].max()),
    }


def _mean(rows: list[Row]) -> Row:
    known = [row for row in rows if row]
    return (
        {name: sum(row[name] for row in known) / len(known) for name in known[0]} if known else {}
    )
