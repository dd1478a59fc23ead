"""Which tokens are kept, what they weigh, and that chance repeats itself."""

from typing import Any

import pytest
import torch

from hodograph.recipes import PositionSelection, RankedSelection
from hodograph.training.interventions.selection import TokenScores, TokenSelection
from hodograph.training.objectives_selection import leading_tokens, token_weights

MASK_BT = torch.tensor([[1.0, 1, 1, 1, 0], [1, 1, 1, 1, 1]])
GAP_BT = torch.tensor([[0.5, -2.0, 3.0, 0.1, 0.0], [0.0, 1.0, -1.0, 2.0, -3.0]])
ENTROPY_BT = torch.tensor([[0.1, 0.9, 0.2, 0.8, 5.0], [0.5, 0.4, 0.3, 0.2, 0.1]])
LOT_BT = torch.tensor([[0.3, 0.1, 0.2, 0.9, 1.0], [0.1, 0.2, 0.3, 0.4, 0.5]])
SCORES = TokenScores(GAP_BT, ENTROPY_BT, LOT_BT)


def kept(settings: Any) -> list[list[int]]:
    weights_BT = TokenSelection(settings, seed=0).weights(SCORES, MASK_BT)
    return [row.nonzero()[:, 0].tolist() for row in weights_BT]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (RankedSelection(type="largest_gap", rho=0.5), [[0, 2], [1, 3]]),
        (RankedSelection(type="smallest_gap", rho=0.5), [[1, 3], [2, 4]]),
        (RankedSelection(type="entropy", rho=0.5), [[1, 3], [0, 1]]),
        (RankedSelection(type="random", rho=0.5), [[0, 3], [3, 4]]),
        (PositionSelection(type="position", rho=0.5), [[0, 1], [0, 1]]),
        (PositionSelection(type="position", rho=0.5, where="last"), [[2, 3], [3, 4]]),
    ],
    ids=lambda value: getattr(value, "type", ""),
)
def test_the_tokens_that_rank_first_are_kept(settings: Any, expected: list[list[int]]) -> None:
    assert kept(settings) == expected


@pytest.mark.parametrize(
    ("rho", "tokens", "count"),
    [(1.0, 7, 7), (0.5, 5, 2), (0.5, 7, 4), (0.25, 14, 4), (0.05, 9, 1), (0.001, 500, 1)],
)
def test_the_count_rounds_half_to_even_and_never_to_none(
    rho: float, tokens: int, count: int
) -> None:
    mask_BT = torch.ones(1, tokens)
    assert int(leading_tokens(torch.randn(1, tokens), mask_BT, rho).sum()) == count


def test_of_equal_scores_the_earlier_token_wins() -> None:
    scores_BT = torch.tensor([[1.0, 2.0, 2.0, 2.0, 1.0]])
    kept_BT = leading_tokens(scores_BT, torch.ones(1, 5), 0.4)
    assert kept_BT.tolist() == [[False, True, True, False, False]]


def test_compensated_weights_sum_to_the_length_of_each_completion() -> None:
    kept_BT = leading_tokens(GAP_BT, MASK_BT, 0.25)
    weights_BT = token_weights(kept_BT, MASK_BT, compensate=True)
    assert weights_BT.sum(1).tolist() == [4.0, 5.0]
    assert token_weights(kept_BT, MASK_BT, compensate=False).sum(1).tolist() == [1.0, 1.0]
    assert not weights_BT[0, 4]  # padding has the lowest rank, whatever its score


def test_lots_are_a_function_of_seed_step_and_place_however_a_batch_is_cut() -> None:
    settings, shape = RankedSelection(type="random", rho=0.5), torch.Size((3, 4))
    lots_BT = TokenSelection(settings, seed=1).lots(2, 0, shape)
    assert torch.equal(lots_BT, TokenSelection(settings, seed=1).lots(2, 0, shape))
    for seed, step, first in ((2, 2, 0), (1, 3, 0), (1, 2, 1)):
        assert not torch.equal(lots_BT, TokenSelection(settings, seed).lots(step, first, shape))
    longer = TokenSelection(settings, seed=1).lots(2, 1, torch.Size((2, 70)))
    assert torch.equal(longer[:, :4], lots_BT[1:])  # of another process, padded to another length


def test_random_tokens_are_spread_evenly() -> None:
    selection = TokenSelection(RankedSelection(type="random", rho=0.25), seed=0)
    mask_BT = torch.ones(20_000, 8)
    lots_BT = selection.lots(0, 0, mask_BT.shape)
    weights_BT = selection.weights(TokenScores(None, mask_BT, lots_BT), mask_BT)
    assert weights_BT.mean(0).tolist() == pytest.approx([1.0] * 8, abs=0.06)  # 5 standard errors
