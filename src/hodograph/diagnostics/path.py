"""G9: the path of the cumulative update, and the similarity of its subspaces."""

from dataclasses import dataclass
from typing import Any

from hodograph.linalg.factors import Factors
from hodograph.linalg.subspaces import similarity


def displacement(update_rms: float, learning_rate_sum: float | None) -> dict[str, Any]:
    """Coherence kappa = RMS(D) / (sum of learning rates).

    Under Adam a coordinate moves about one learning rate a step, so kappa is near 1 for steps
    that all agree and near 1 / sqrt(steps) for a random walk.
    """
    if not learning_rate_sum:
        return {"learning_rate_sum": learning_rate_sum}
    return {"learning_rate_sum": learning_rate_sum, "kappa": update_rms / learning_rate_sum}


@dataclass(frozen=True)
class TopVectors:
    """Leading singular vectors of one cumulative update, and its numerical rank."""

    factors: Factors
    rank: int


def shared_size(first: TopVectors, second: TopVectors, k: int) -> int:
    """K, lowered where one update has fewer directions, and to half of the shorter side."""
    side = len(first.factors.sigma_R)
    return min(k, first.rank, second.rank, max(1, side // 2))


def similarity_with_chance(
    first: TopVectors | None, second: TopVectors | None, k: int
) -> tuple[float, float] | None:
    """Sim_K of two updates on the right, and the K / n of random subspaces.

    None where one of the two is zero.
    """
    if first is None or second is None:
        return None
    size = shared_size(first, second, k)
    v1_NK, v2_NK = first.factors.leading(size).v_NK, second.factors.leading(size).v_NK
    return similarity(v1_NK, v2_NK), size / v1_NK.shape[0]


def similarity_to_end(updates: list[TopVectors | None], k: int) -> list[dict[str, Any]]:
    """Sim_K of each cumulative update to the last one, right and left, with its chance level.

    K is lowered where one of the two updates has fewer than K directions, or the matrix fewer
    than 2 K.

    Args:
        updates: one entry a checkpoint; None where the update is zero.
        k: the K asked for.
    """
    last = updates[-1]
    rows: list[dict[str, Any]] = []
    for update in updates:
        if update is None or last is None:
            rows.append({})
            continue
        size = shared_size(update, last, k)
        now, end = update.factors.leading(size), last.factors.leading(size)
        rows.append(
            {
                "sim16_end": similarity(now.v_NK, end.v_NK),
                "sim16_end_left": similarity(now.u_MK, end.u_MK),
                "sim16_chance": size / now.v_NK.shape[0],
                "sim16_k": size,
            }
        )
    return rows
