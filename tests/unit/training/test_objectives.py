"""Token advantages by hand."""

import pytest
import torch

from hodograph.training.objectives import (
    log_ratio,
    masked_outcomes,
    token_advantages,
    varied_groups,
)

MASK_BT = torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]])
GAP_BT = torch.tensor([[0.5, -1.0, 0.0], [2.0, 0.0, 1.0]])
OUTCOME_B = torch.tensor([1.0, -1.0])


def test_the_log_ratio_is_student_minus_teacher_on_the_sampled_tokens() -> None:
    student_BT, teacher_BT = torch.full((2, 3), -1.0), torch.full((2, 3), -1.5)
    assert torch.equal(log_ratio(student_BT, teacher_BT, MASK_BT), 0.5 * MASK_BT)


def test_alpha_one_is_minus_the_gap_and_alpha_zero_is_the_outcome() -> None:
    assert torch.equal(token_advantages(OUTCOME_B, GAP_BT, MASK_BT, 1.0), -GAP_BT)
    outcome_BT = torch.tensor([[1.0, 1.0, 0.0], [-1.0, -1.0, -1.0]])
    assert torch.equal(token_advantages(OUTCOME_B, None, MASK_BT, 0.0), outcome_BT)


@pytest.mark.parametrize("alpha", [0.01, 0.25, 0.75])
def test_a_mixture_is_the_raw_convex_combination(alpha: float) -> None:
    opd = token_advantages(OUTCOME_B, GAP_BT, MASK_BT, 1.0)
    rlvr = token_advantages(OUTCOME_B, None, MASK_BT, 0.0)
    mixed = token_advantages(OUTCOME_B, GAP_BT, MASK_BT, alpha)
    torch.testing.assert_close(mixed, alpha * opd + (1 - alpha) * rlvr)


def test_a_group_varies_when_any_reward_differs() -> None:
    rewards_B = torch.tensor([1.0, 1.0, 0.0, 0.0, 0.1, 0.2])
    assert varied_groups(rewards_B, 2).tolist() == [False, False, False, False, True, True]
    third = torch.tensor([1 / 3] * 8)  # their mean is not 1/3 in float32, their range is 0
    assert not varied_groups(third, 8).any()


@pytest.mark.parametrize("aggregation", ["token-mean", "seq-mean-token-mean"])
def test_masking_gives_the_loss_of_the_kept_completions_alone(aggregation: str) -> None:
    mask_BT = torch.tensor([[1.0, 1, 1, 0], [1, 0, 0, 0], [1, 1, 0, 0]])
    outcome_B = torch.tensor([1.0, 5.0, -2.0])
    keep_B = torch.tensor([True, False, True])

    def loss(outcomes: torch.Tensor, mask: torch.Tensor) -> float:
        if aggregation == "token-mean":
            return float((outcomes[:, None] * mask).sum() / mask.sum())
        return float(((outcomes[:, None] * mask).sum(1) / mask.sum(1)).mean())

    masked_B = masked_outcomes(outcome_B, keep_B, mask_BT, aggregation)
    assert loss(masked_B, mask_BT) == pytest.approx(
        loss(outcome_B[keep_B], mask_BT[keep_B]), rel=1e-6
    )
    assert masked_B[1] == 0


def test_with_every_completion_masked_nothing_is_left() -> None:
    keep_B = torch.zeros(2, dtype=torch.bool)
    for aggregation in ("token-mean", "seq-mean-token-mean"):
        assert not masked_outcomes(OUTCOME_B, keep_B, MASK_BT, aggregation).any()
