"""G9: the path of the cumulative update, and the similarity of its subspaces."""

from dataclasses import dataclass
from typing import Any

from hodograph.linalg.factors import Factors
from hodograph.linalg.subspaces import similarity


@dataclass(frozen=True)
class Spent:
    """What the optimizer had spent when a checkpoint was saved; None where it is not known.

    Attributes:
        learning_rate_sum: sum of the learning rate over the steps.
        weight_decay_sum: sum of learning rate x weight decay over the steps.
        steps: steps the optimizer took.
    """

    learning_rate_sum: float | None = None
    weight_decay_sum: float | None = None
    steps: int | None = None


def displacement(update_rms: float, base_norm: float, spent: Spent) -> dict[str, Any]:
    """Coherence kappa = RMS(D) / (sum of learning rates), its null, and what decay would move.

    Under Adam a coordinate moves about one learning rate a step, so kappa is near 1 for steps
    that all agree and near 1 / sqrt(steps) for steps of one size and independent signs. Decoupled
    weight decay alone shrinks W0 by weight_decay_sum of itself, to first order.

    Args:
        update_rms: RMS of D.
        base_norm: ‖W0‖_F.
        spent: sums since W0.
    """
    columns: dict[str, Any] = {
        "learning_rate_sum": spent.learning_rate_sum,
        "weight_decay_sum": spent.weight_decay_sum,
    }
    if spent.weight_decay_sum is not None:
        columns["weight_decay_norm"] = spent.weight_decay_sum * base_norm
    if spent.learning_rate_sum:
        columns["kappa"] = update_rms / spent.learning_rate_sum
        columns["kappa_random_walk"] = (
            spent.steps**-0.5 if spent.steps and spent.steps > 0 else None
        )
    return columns


@dataclass(frozen=True)
class TopVectors:
    """Leading singular vectors of one cumulative update, and its numerical rank."""

    factors: Factors
    rank: int


def shared_size(first: TopVectors, second: TopVectors, k: int) -> int:
    """K, lowered where one update has fewer directions, and to half of the shorter side."""
    return similarity_size(k, first.rank, second.rank, len(first.factors.sigma_R))


def similarity_size(k: int, first_rank: int, second_rank: int, side: int) -> int:
    """K, lowered to the numerical ranks of two updates and to half of their shorter side."""
    return min(k, first_rank, second_rank, max(1, side // 2))


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
