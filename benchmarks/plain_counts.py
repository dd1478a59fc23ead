"""Counts of one update by their definitions, entry by entry, to hold hodograph's against.

M rows, N columns, E = M N entries.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hodograph.diagnostics.landing import landing
from hodograph.diagnostics.masks import masks_of
from hodograph.diagnostics.rotation import principal_size
from hodograph.diagnostics.visibility import ULP_BINS, look
from hodograph.linalg.factors import Factors
from hodograph.tables.columns import ALPHAS

MASK_RANK = 64
RESOLUTION = 6  # digits after the point of a count; entries tied at an edge are shared


def counts_off(base_MN: Tensor, tuned_MN: Tensor, base: Factors) -> float:
    """Largest difference of any count to its definition, in entries.

    Every ULP bin, changed entries by exponent of W0, sign flips, and the changed entries inside
    each principal and low mask.

    Args:
        base_MN: W0, finite.
        tuned_MN: W1, finite.
        base: W0's factors; both sides cut the principal masks from the same.
    """
    rank = max(1, principal_size(*base_MN.shape, MASK_RANK))
    masks = masks_of(base_MN, base, rank)
    visible = look(masks.base, tuned_MN)
    columns = visible.columns | landing(visible, masks)
    before_E, after_E = _integers(base_MN), _integers(tuned_MN)
    moved_E = np.abs(after_E - before_E)
    changed_E = moved_E > 0
    entries, changed = len(before_E), int(changed_E.sum())
    off = [columns["density"] * entries - changed]
    for name, (low, high) in ULP_BINS.items():
        last = np.iinfo(moved_E.dtype).max if name == "ulp_over_8" else high
        count = int(((moved_E >= low) & (moved_E < last)).sum())
        off.append(columns[name] * entries - count)
    off.append(columns["sign_flips"] * entries - int((before_E * after_E < 0).sum()))
    off += _by_exponent(columns, before_E, changed_E)
    if changed:
        scores = {"low": np.abs(before_E), "principal": -_part(base, rank)}
        for mask, score_E in scores.items():
            for alpha in ALPHAS:
                inside = float(_smallest(score_E, alpha / 100)[changed_E].sum())
                off.append(columns[f"overlap_{mask}_{alpha}"] * changed - inside)
    return max(round(abs(difference), RESOLUTION) for difference in off)


def _integers(weights_MN: Tensor) -> NDArray[np.int64]:
    """Bfloat16 numbers as integers in their order, one a ULP; both zeros are 0."""
    bits_E = weights_MN.bfloat16().contiguous().flatten().view(torch.int16).numpy()
    magnitude_E = (bits_E & 0x7FFF).astype(np.int64)
    return np.where(bits_E < 0, -magnitude_E, magnitude_E)


def _by_exponent(
    columns: dict[str, object], before_E: NDArray[np.int64], changed_E: NDArray[np.bool_]
) -> list[float]:
    """What the visibility curve misses of entries and changes, exponent by exponent."""
    exponent_E = np.abs(before_E) >> 7
    off: list[float] = []
    for name, inside_E in (("entries", np.ones_like(changed_E)), ("changed", changed_E)):
        counts = np.bincount(exponent_E[inside_E], minlength=256)
        for exponent, count in zip(columns["exponents"], columns[f"exponent_{name}"], strict=True):
            counts[exponent] -= count
        off += counts.tolist()
    return off


def _part(base: Factors, rank: int) -> NDArray[np.float32]:
    """|rank-r part of W0| in float32, flat."""
    top = base.leading(rank)
    part_MN = (top.u_MK * top.sigma_R[: top.kept]) @ top.v_NK.T
    return part_MN.abs().float().flatten().numpy()


def _smallest(score_E: NDArray[np.number], share: float) -> NDArray[np.float64]:
    """Membership in the smallest round(share E) scores; ties at the edge share what is left."""
    wanted = round(share * len(score_E))
    if wanted == 0:
        return np.zeros(len(score_E))
    edge = np.partition(score_E, wanted - 1)[wanted - 1]
    below_E, tied_E = score_E < edge, score_E == edge
    return below_E + tied_E * ((wanted - int(below_E.sum())) / int(tied_E.sum()))
