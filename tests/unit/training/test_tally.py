"""Means over a step do not depend on how it is split."""

import pytest
import torch

from hodograph.training.tally import Tally


def test_two_uneven_parts_give_the_mean_of_the_whole() -> None:
    values, weights = torch.tensor([1.0, 2.0, 9.0, 4.0]), torch.tensor([1.0, 1.0, 0.0, 2.0])
    whole, split = Tally(), Tally()
    for name in ("gap", "gap_rms"):
        whole.add(name, values, weights)
        for part in (slice(0, 1), slice(1, 4)):
            split.add(name, values[part], weights[part])
    expected = {"gap": (1 + 2 + 8) / 4, "gap_rms": ((1 + 2 + 8) / 4) ** 0.5}
    assert whole.drain() == pytest.approx(expected)
    assert split.drain() == pytest.approx(expected)
    assert split.drain() == {}


def test_a_mean_over_nothing_is_left_out() -> None:
    tally = Tally()
    tally.add("gap", torch.ones(2), torch.zeros(2))
    assert tally.drain() == {}
