"""A ratio of sums over clusters."""

import numpy as np
import pytest

from hodograph.statistics.clusters import ratio_of_sums


def test_equal_weights_give_the_mean_and_its_standard_error():
    values = np.array([1.0, 2.0, 4.0, 5.0])
    found = ratio_of_sums(values, np.full(4, 2.0))
    assert found.value == pytest.approx(1.5)
    assert found.se == pytest.approx(values.std(ddof=1) / 2 / 2)
    assert (found.low + found.high) / 2 == pytest.approx(1.5)
    assert (found.high - found.low) / 2 == pytest.approx(3.182446 * found.se, rel=1e-6)


def test_values_in_proportion_to_their_weights_leave_nothing_open():
    weights = np.array([1.0, 5.0, 2.0])
    found = ratio_of_sums(3 * weights, weights)
    assert (found.value, found.se) == (pytest.approx(3), pytest.approx(0, abs=1e-12))


def test_the_interval_holds_the_truth_as_often_as_it_says():
    generator = np.random.default_rng(0)
    held = 0
    for _ in range(1000):
        weights = generator.integers(5, 15, 20).astype(float)
        effect = generator.normal(size=20)  # clusters of dependent observations
        found = ratio_of_sums(weights * (2 + effect), weights)
        held += found.low <= 2 <= found.high
    assert held / 1000 == pytest.approx(0.95, abs=0.025)
