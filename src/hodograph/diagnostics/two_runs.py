"""G11: two updates of one W0: their directions, their subspaces, their visible masks.

M rows, N columns, E = M N entries, X exponents.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hodograph.diagnostics.path import TopVectors
from hodograph.linalg.subspaces import similarity
from hodograph.matrices.bits import MANTISSA, bits_of, changed_bits
from hodograph.matrices.update import Update

EXPONENTS = 256


def direction(a: Update, b: Update) -> dict[str, Any]:
    """Cosine of two updates, and the share of one that is orthogonal to the other."""
    if a.norm == 0 or b.norm == 0:
        return {}
    inner = float(((a.difference_MN / a.norm) * (b.difference_MN / b.norm)).sum())
    cosine = max(-1.0, min(1.0, inner))
    return {"cosine": cosine, "orthogonal_share": 1 - cosine**2}


def between(a: TopVectors, b: TopVectors, k: int) -> dict[str, Any]:
    """Sim_K of the leading singular vectors of two updates, right and left, beside chance.

    K is lowered where one of them has fewer directions, or the matrix fewer than 2 K.
    """
    size = min(k, a.rank, b.rank, max(1, len(a.factors.sigma_R) // 2))
    first, second = a.factors.leading(size), b.factors.leading(size)
    return {
        "sim16_right": similarity(first.v_NK, second.v_NK),
        "sim16_right_chance": size / first.v_NK.shape[0],
        "sim16_left": similarity(first.u_MK, second.u_MK),
        "sim16_left_chance": size / first.u_MK.shape[0],
        "sim16_k": size,
    }


def agreement(a: Update, b: Update) -> dict[str, Any]:
    """How far two runs visibly change the same entries, and in the same direction.

    Two references for the Jaccard index of the masks: independent masks of the same sizes, and
    masks that are independent given the exponent of W0, which alone decides how large a change
    must be to be seen.
    """
    base = bits_of(a.base_MN)
    in_a_E = changed_bits(base, bits_of(a.tuned_MN))
    in_b_E = changed_bits(base, bits_of(b.tuned_MN))
    in_both_E = in_a_E & in_b_E
    size, count_a, count_b, both = len(base), *(int(m.sum()) for m in (in_a_E, in_b_E, in_both_E))
    same_MN = (a.difference_MN > 0) == (b.difference_MN > 0)
    same = int(same_MN.flatten().numpy()[in_both_E].sum())
    exponent_E = (base & 0x7FFF) >> MANTISSA
    return {
        "update_sparsity_a": (size - count_a) / size,
        "update_sparsity_b": (size - count_b) / size,
        "density_a": count_a / size,
        "density_b": count_b / size,
        "density_both": both / size,
        "mask_jaccard": _jaccard(count_a, count_b, both),
        "mask_jaccard_independent": _jaccard(count_a, count_b, count_a * count_b / size),
        "mask_jaccard_gate": _jaccard(count_a, count_b, _gated(exponent_E, in_a_E, in_b_E)),
        "coverage_a": both / count_a if count_a else None,
        "coverage_b": both / count_b if count_b else None,
        "sign_agreement": same / both if both else None,
    }


def _jaccard(count_a: int, count_b: int, both: float) -> float | None:
    either = count_a + count_b - both
    return both / either if either else None


def _gated(
    exponent_E: NDArray[np.integer], in_a_E: NDArray[np.bool_], in_b_E: NDArray[np.bool_]
) -> float:
    """Expected size of the intersection when only the exponent of W0 ties the masks."""
    counts = [
        np.bincount(exponent_E[mask_E], minlength=EXPONENTS).astype(np.float64)
        for mask_E in (np.ones_like(in_a_E), in_a_E, in_b_E)
    ]
    all_X, a_X, b_X = counts
    return float((a_X * b_X / np.maximum(all_X, 1)).sum())
