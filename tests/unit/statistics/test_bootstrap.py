import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from hodograph.statistics.bootstrap import layer_intervals, levels

RUNS, MODULES = 400, 7


def equal(values):
    """Weight 1 for every value there is."""
    return values.notna().astype(float)


@pytest.mark.parametrize("layers", [8, 12, 28])
def test_intervals_cover_the_truth_of_simulated_runs(layers):
    """Matrices share their layer's effect; 95 % of the intervals should hold the truth, 1.5."""
    generator = np.random.default_rng(layers)
    covered = 0
    index = pd.Series(np.repeat(np.arange(layers), MODULES))
    for _ in range(RUNS):
        shared = np.repeat(generator.normal(1.5, 1, layers), MODULES)
        values = pd.DataFrame({"x": shared + generator.normal(0, 0.5, layers * MODULES)})
        bounds = layer_intervals(values, equal(values), index, generator)["x"]
        covered += bounds["low"] <= 1.5 <= bounds["high"]
    assert 0.92 <= covered / RUNS <= 0.98


def test_levels_are_wider_for_few_layers_and_plain_for_many():
    assert levels(1_000_000) == pytest.approx((0.025, 0.975), abs=1e-5)
    assert levels(4)[0] < levels(12)[0] < 0.025
    wide = 4.302653 * 1.5**0.5  # Student's 97.5 % quantile, two degrees of freedom
    assert levels(3)[0] == pytest.approx(norm.cdf(-wide), rel=1e-4)


def test_an_empty_column_has_no_interval_and_absent_values_are_left_out():
    values = pd.DataFrame({"x": [1.0, np.nan, 1.0, 1.0], "y": [np.nan] * 4})
    bounds = layer_intervals(
        values, equal(values), pd.Series([0, 0, 1, 1]), np.random.default_rng(0)
    )
    assert bounds == {"x": {"low": 1.0, "high": 1.0}}


def test_one_layer_has_none():
    values = pd.DataFrame({"x": [1.0, 2.0]})
    assert layer_intervals(values, equal(values), pd.Series([0, 0]), np.random.default_rng(0)) == {}


def test_weights_count_values():
    values = pd.DataFrame({"x": [0.0, 4.0, 0.0, 4.0]})
    weights = pd.DataFrame({"x": [3.0, 1.0, 3.0, 1.0]})
    bounds = layer_intervals(values, weights, pd.Series([0, 0, 1, 1]), np.random.default_rng(0))
    assert bounds == {"x": {"low": 1.0, "high": 1.0}}


def test_a_table_without_any_value_has_no_interval():
    values = pd.DataFrame({"a": [np.nan, np.nan]})
    weights, layers = values.notna().astype(float), pd.Series([0, 1])
    assert layer_intervals(values, weights, layers, np.random.default_rng(0)) == {}
