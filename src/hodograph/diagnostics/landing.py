"""G5: where visible updates land, against masks of W0 and against a permuted update.

M rows, N columns.
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from hodograph.linalg.factors import Factors
from hodograph.matrices.precision import on_bfloat16_grid, to_bfloat16, visibly_changed
from hodograph.matrices.update import Update
from hodograph.tables.columns import ALPHAS

Masks = dict[str, Float[Tensor, "M N"]]


@dataclass(frozen=True)
class Permutations:
    """How often and from which seed an update is permuted within its matrix."""

    count: int
    seed: int


def membership(score_MN: Float[Tensor, "M N"], share: float) -> Float[Tensor, "M N"]:
    """Membership in the smallest `share` of the scores: exactly round(share m n) entries.

    Entries tied at the threshold share what is left of the count equally, so that the order in
    memory does not matter.
    """
    wanted = round(share * score_MN.numel())
    if wanted == 0:
        return torch.zeros_like(score_MN)
    threshold = torch.kthvalue(score_MN.flatten(), wanted).values
    below_MN, tied_MN = score_MN < threshold, score_MN == threshold
    fraction = (wanted - int(below_MN.sum())) / int(tied_MN.sum())
    return below_MN.to(score_MN.dtype) + fraction * tied_MN


def masks_of(base_MN: Float[Tensor, "M N"], base: Factors, rank: int) -> Masks:
    """Principal and low-magnitude masks of W0, by name `principal_30`, `low_30`, ...

    principal: the largest entries of |rank-r part of W0|; low: the smallest of |W0| in bfloat16.
    """
    top = base.leading(rank)
    part_MN = ((top.u_MK * top.sigma_R[:rank]) @ top.v_NK.T).abs()
    low_MN = to_bfloat16(base_MN).abs().double()
    masks = {}
    for alpha in ALPHAS:
        masks[f"principal_{alpha}"] = membership(-part_MN, alpha / 100)
        masks[f"low_{alpha}"] = membership(low_MN, alpha / 100)
    return masks


def landing(update: Update, masks: Masks) -> dict[str, Any]:
    """Share of the visibly changed entries inside each mask, with its bounds and lift.

    Args:
        update: as stored; the change is looked at in bfloat16.
        masks: those of its base.
    """
    changed_MN = visibly_changed(update.base_MN, update.tuned_MN)
    overlaps = _overlaps(changed_MN, masks)
    if overlaps is None:
        return {}
    density = float(changed_MN.double().mean())
    columns: dict[str, Any] = dict(overlaps)
    for alpha in ALPHAS:
        share = alpha / 100
        columns[f"overlap_{alpha}_lower"] = max(0.0, 1 - (1 - share) / density)
        columns[f"overlap_{alpha}_upper"] = min(1.0, share / density)
        for mask in ("principal", "low"):
            name = f"overlap_{mask}_{alpha}"
            columns[f"{name}_lift"] = overlaps[name] / share
    return columns


def permutation_null(
    update: Update, masks: Masks, permutations: Permutations, reason: str | None
) -> dict[str, Any]:
    """Sparsity and overlaps after permuting D within the matrix: size kept, place forgotten.

    Exact where D is stored in float32; an update already rounded to 16 bits must not be permuted,
    since its sizes carry the exponents of the places they came from.
    """
    if reason is not None:
        return {"null_reason": reason}
    generator = torch.Generator().manual_seed(permutations.seed)
    flat, shape = (update.tuned_MN - update.base_MN).flatten(), update.base_MN.shape
    drawn: list[dict[str, float]] = []
    for _ in range(permutations.count):
        order = torch.randperm(len(flat), generator=generator)
        tuned_MN = update.base_MN + flat[order].reshape(shape)
        changed_MN = visibly_changed(update.base_MN, tuned_MN)
        sparsity = 1 - float(changed_MN.double().mean())
        drawn.append({"update_sparsity": sparsity} | (_overlaps(changed_MN, masks) or {}))
    return _moments(drawn)


def null_reason(update: Update) -> str | None:
    """Why the permutation null cannot be had for this update, or None."""
    if update.norm == 0:
        return "no_update"
    if update.storage != "float32":
        return f"stored in {update.storage}"
    if on_bfloat16_grid(update.tuned_MN):
        return "stored in float32, but rounded to bfloat16 before"
    return None


def _overlaps(changed_MN: Tensor, masks: Masks) -> dict[str, float] | None:
    total = int(changed_MN.sum())
    if total == 0:
        return None
    return {
        f"overlap_{name}": float(mask[changed_MN].sum()) / total for name, mask in masks.items()
    }


def _moments(drawn: list[dict[str, float]]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for name in sorted({name for draw in drawn for name in draw}):
        values = torch.tensor([draw[name] for draw in drawn if name in draw], dtype=torch.float64)
        columns[f"{name}_null"] = float(values.mean())
        if name != "update_sparsity" and len(values) > 1:
            columns[f"{name}_null_sd"] = float(values.std())
    return columns
