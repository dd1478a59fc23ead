import numpy as np
import pytest

from hodograph.statistics.paired import t_interval


def test_three_differences_by_hand():
    # mean 2, standard deviation 1, standard error 1 / sqrt(3), t with 2 degrees of freedom 4.3027
    found = t_interval([1.0, 2.0, 3.0], 0.95)
    assert (found.mean, found.n) == (2.0, 3)
    assert [found.low, found.high] == pytest.approx([-0.48414, 4.48414], abs=1e-5)


def test_two_differences_pay_for_being_few():
    found = t_interval([0.0, 2.0], 0.95)
    assert [found.low, found.high] == pytest.approx([1 - 12.7062, 1 + 12.7062], rel=1e-5)


def test_one_difference_has_no_interval():
    found = t_interval([0.3], 0.95)
    assert (found.mean, found.low, found.high, found.n) == (0.3, None, None, 1)
    assert found.widened(1.0) == found


def test_negating_swaps_the_ends_and_widening_moves_both():
    found = t_interval([1.0, 2.0, 3.0], 0.95)
    assert ((-found).low, (-found).high) == (-found.high, -found.low)
    wider = found.widened(0.5)
    assert (wider.low, wider.high) == (found.low - 0.5, found.high + 0.5)


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_it_holds_the_truth_as_often_as_it_says(seeds):
    generator = np.random.default_rng(seeds)
    found = [t_interval(row, 0.95) for row in generator.normal(1.0, 3.0, (4000, seeds))]
    held = np.mean([one.low <= 1.0 <= one.high for one in found])
    assert abs(held - 0.95) < 4 * (0.95 * 0.05 / 4000) ** 0.5
