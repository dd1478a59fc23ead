"""G2: how large the update is."""

from typing import Any

import torch

from hodograph.matrices.update import Update


def size(update: Update) -> dict[str, Any]:
    """Norms of the base and the update, in the weights' units, float64 sums."""
    base_norm = float(torch.linalg.vector_norm(update.base_MN.double()))
    return {
        "base_norm": base_norm,
        "update_norm": update.norm,
        "relative_norm": update.norm / base_norm if base_norm > 0 else None,
        "update_max": float(update.difference_MN.abs().max()),
        "update_rms": update.norm / update.difference_MN.numel() ** 0.5,
    }
