"""Coefficients of the gradient, and their nulls."""

import pytest
import torch

from hodograph.gates.coefficients import coefficients, group_normalised

REWARDS = torch.tensor([1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0], dtype=torch.float64)
SCORED = torch.tensor([[False, True, True], [True, True, False]])
RATIOS = torch.tensor([[9.0, 1.0, -2.0], [3.0, -4.0, 9.0]])


def built(shared=None, per_token=RATIOS, scored=SCORED, draws=3):
    return coefficients(shared, per_token, scored, draws, 0)


def test_rewards_are_normalised_in_their_group():
    advantages = group_normalised(REWARDS, 4)
    assert advantages[:4].tolist() == pytest.approx([1.5, -0.5, -0.5, -0.5])
    assert float(advantages[:4].std()) == pytest.approx(1)
    assert advantages[4:].tolist() == [0, 0, 0, 0]


def test_completions_alone_carry_coefficients():
    kinds = built(torch.tensor([2.0, -1.0]))
    for draws in kinds.values():
        for one in draws:
            assert float(one[~SCORED].abs().max()) == 0
    assert kinds["shared"][0].tolist() == [[0, 2, 2], [-1, -1, 0]]
    assert kinds["per_token"][0].tolist() == [[0, 1, -2], [3, -4, 0]]


def test_permutations_keep_the_values_and_signs_keep_nothing():
    shared, scored = torch.arange(1.0, 7.0), torch.ones(6, 4, dtype=torch.bool)
    ratios = torch.arange(24.0).reshape(6, 4)
    kinds = coefficients(shared, ratios, scored, 3, 0)
    for one in kinds["shared_permuted"]:
        assert one[:, 0].sort().values.tolist() == shared.tolist()
        assert torch.equal(one, one[:, :1].expand_as(one))
    for one in kinds["per_token_permuted"]:
        assert one.flatten().sort().values.tolist() == ratios.flatten().tolist()
    for one in kinds["shared_signs"]:
        assert set(one.flatten().tolist()) <= {-1, 1}
        assert torch.equal(one, one[:, :1].expand_as(one))
    signs = torch.stack(kinds["per_token_signs"])
    assert set(signs.flatten().tolist()) == {-1, 1}
    assert not torch.equal(signs[0], signs[1])


def test_what_is_not_known_has_no_coefficients():
    assert set(built(None, None)) == {"shared_signs", "per_token_signs"}
    alike = group_normalised(torch.ones(2, dtype=torch.float64), 2)
    assert "shared" not in built(alike)


def test_a_seed_gives_the_same_draws():
    first, second = built(torch.tensor([2.0, -1.0])), built(torch.tensor([2.0, -1.0]))
    for kind, draws in first.items():
        assert all(torch.equal(a, b) for a, b in zip(draws, second[kind], strict=True))
