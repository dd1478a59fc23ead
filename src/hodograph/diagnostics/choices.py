"""Metrics under several values of the constant they depend on, from factors at hand.

M rows, N columns, E = M N entries, S strata as in `strata`, R singular values, K directions.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from hodograph.diagnostics.masks import Keys, edges_of, low_keys, principal_keys
from hodograph.diagnostics.path import TopVectors, shared_size
from hodograph.diagnostics.rotation import principal_size, rotation
from hodograph.diagnostics.rotation_null import isotropic_means, isotropic_turn
from hodograph.diagnostics.spectrum import hill
from hodograph.diagnostics.strata import STRATA, stratum_of
from hodograph.linalg.factors import Factors
from hodograph.linalg.subspaces import similarity
from hodograph.matrices.bits import bits_of, changed_bits, pieces


@dataclass(frozen=True)
class Swept:
    """One metric under one setting.

    Attributes:
        choice: the constant: "alpha", "r", "k", "K" or "hill_k".
        setting: its value as asked for.
        used: its value as used, lowered to what the matrix has.
        metric: the metric.
        value: of the metric; None where it is not defined.
        null: its null under this setting; None where there is none.
    """

    choice: str
    setting: float
    used: float
    metric: str
    value: float | None
    null: float | None


def swept_masks(
    base_MN: Float[Tensor, "M N"],
    tuned_MN: Float[Tensor, "M N"],
    base: Factors,
    alphas: Sequence[float],
    ranks: Sequence[int],
    fixed: tuple[float, int],
) -> list[Swept]:
    """Overlaps of the visible changes with masks of several shares and ranks.

    One constant is varied at a time, the other kept at its value in `fixed` (alpha, r). The null is
    what the strata of W0 alone give.

    Args:
        base_MN: W0.
        tuned_MN: W1.
        base: W0's factors, with as many vectors as the largest rank.
        alphas: shares of the entries in a mask.
        ranks: ranks of the part of W0 that the principal mask is cut from.
        fixed: alpha while ranks vary, and rank while alphas vary.
    """
    bits_E = bits_of(base_MN)
    changed_E = changed_bits(bits_E, bits_of(tuned_MN))
    if not changed_E.any():
        return []
    kind_E = stratum_of(bits_E) + changed_E * np.uint16(STRATA)
    alpha, rank = fixed
    swept = []
    for metric, key_E in (
        ("overlap_principal", principal_keys(base, _rank(base_MN, rank))),
        ("overlap_low", low_keys(base_MN)),
    ):
        found = _overlaps(key_E, kind_E, alphas)
        swept += [
            Swept("alpha", share, share, metric, *one)
            for share, one in zip(alphas, found, strict=True)
        ]
    for wanted in ranks:
        used = _rank(base_MN, wanted)
        (one,) = _overlaps(principal_keys(base, used), kind_E, [alpha])
        swept.append(Swept("r", wanted, used, "overlap_principal", *one))
    return swept


def _rank(base_MN: Float[Tensor, "M N"], wanted: int) -> int:
    rows, cols = base_MN.shape
    return max(1, principal_size(rows, cols, wanted))


def _overlaps(
    key_E: Keys, kind_E: NDArray[np.uint16], shares: Sequence[float]
) -> list[tuple[float, float]]:
    """Overlap, and its expectation within strata, with the masks of the smallest keys.

    Args:
        key_E: what a mask is cut by.
        kind_E: stratum of every entry, plus STRATA where it visibly changed.
        shares: alpha of each mask.
    """
    edges = edges_of(key_E, [round(share * len(key_E)) for share in shares])
    return [_overlap(key_E, kind_E, edge, tied) for edge, tied in edges]


def _overlap(
    key_E: Keys, kind_E: NDArray[np.uint16], edge: int, tied: float
) -> tuple[float, float]:
    counts = np.zeros(3 * 2 * STRATA, np.int64)  # outside the mask, inside, on its edge
    for piece in pieces(len(key_E)):
        place = (key_E[piece] < edge) + np.uint16(2) * (key_E[piece] == edge)
        counts += np.bincount(place * np.uint16(2 * STRATA) + kind_E[piece], minlength=len(counts))
    outside, inside, on_edge = counts.reshape(3, 2, STRATA)
    entries_S = (outside + inside + on_edge).sum(axis=0)
    moved_S = outside[1] + inside[1] + on_edge[1]
    member = inside + tied * on_edge
    expected_S = moved_S * member.sum(axis=0) / np.maximum(entries_S, 1)
    return float(member[1].sum() / moved_S.sum()), float(expected_S.sum() / moved_S.sum())


def swept_angles(
    base: Factors,
    tuned: Factors,
    ks: Sequence[int],
    update_rms: float,
    seed: int,
    *,
    exact: bool = False,
) -> list[Swept]:
    """Mean principal angles for several k, with their isotropic nulls.

    Args:
        base: W0's factors, with as many vectors as the largest k.
        tuned: W1's, likewise.
        ks: dimensions of the principal subspaces, each lowered to half of the shorter side.
        update_rms: RMS of D.
        seed: of the draws behind the nulls.
        exact: as of `rotation`.
    """
    rows, cols = len(base.u_MK), len(base.v_NK)
    swept = []
    for wanted in ks:
        k = principal_size(rows, cols, wanted)
        found = rotation(base, tuned, k, exact=exact)
        null = isotropic_means(isotropic_turn(base, rows, cols, k, seed), update_rms)
        for metric in ("angle_left_mean", "angle_right_mean"):
            swept.append(
                Swept("k", wanted, k, metric, found.get(metric), null.get(f"{metric}_null"))
            )
    return swept


def swept_similarity(first: TopVectors, last: TopVectors, ks: Sequence[int]) -> list[Swept]:
    """Similarity of the first update's and the last one's subspaces for several K."""
    swept = []
    for wanted in ks:
        used = shared_size(first, last, wanted)
        v0_NK, v1_NK = (one.factors.leading(used).v_NK for one in (first, last))
        value = similarity(v0_NK, v1_NK)
        swept.append(Swept("K", wanted, used, "sim_end", value, used / len(v0_NK)))
    return swept


def swept_hill(sigma_R: Float[Tensor, " R"], rank: int, ks: Sequence[int]) -> list[Swept]:
    """Hill estimates of the update's spectrum for several k; no value beyond its rank."""
    return [Swept("hill_k", k, k, "hill", hill(sigma_R, k, rank), None) for k in ks]


def rms(difference_MN: Float[Tensor, "M N"]) -> float:
    """Root of the mean square of the entries."""
    return float(torch.linalg.vector_norm(difference_MN)) / difference_MN.numel() ** 0.5
