import numpy as np
import pandas as pd
import pytest

from hodograph.report.series import attention_rows, doubt, layer_mean, over_seeds, trajectory
from planted.measurement import measurement_rows


def frame(layers, values, *, sizes=None, **more):
    sizes = sizes or [1] * len(values)
    return pd.DataFrame(
        {"layer": layers, "rows": sizes, "cols": 1, "update_norm": values, "step": 1}
        | {"storage": "float32", "module": "q_proj", "flags": [[]] * len(values)}
        | {"reliability": "ok"}
        | more
    )


def test_mean_and_interval_of_two_layers_are_their_extremes():
    rows = frame([0, 0, 1, 1], [1.0, 3.0, 5.0, 7.0])
    assert layer_mean(rows, "update_norm") == (4.0, 2.0, 6.0)


def test_layers_are_resampled_and_not_matrices():
    spread_within = frame([0] * 50 + [1] * 50, list(range(50)) * 2)
    _, low, high = layer_mean(spread_within, "update_norm")
    assert low == high == 24.5


def test_interval_covers_the_standard_error_of_many_layers():
    values = np.random.default_rng(1).normal(size=400)
    mean, low, high = layer_mean(frame(list(range(400)), list(values)), "update_norm")
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)
    assert low < mean < high


def test_one_layer_has_no_interval():
    mean, low, high = layer_mean(frame([3, 3], [1.0, 2.0]), "update_norm")
    assert mean == 1.5
    assert np.isnan([low, high]).all()


def test_missing_values_are_left_out():
    assert layer_mean(frame([0, 1], [2.0, np.nan]), "update_norm")[0] == 2.0
    assert np.isnan(layer_mean(frame([0], [np.nan]), "update_norm")[0])


def test_weighted_mean_counts_parameters():
    rows = frame([0, 1], [0.0, 1.0], sizes=[1, 3])
    assert layer_mean(rows, "update_norm", weighted=True)[0] == 0.75


def test_trajectory_has_a_point_for_each_step_and_storage():
    table = pd.DataFrame(measurement_rows(steps=(10, 20)))
    points = trajectory(table, "stable_rank").set_index(["storage", "step"])
    assert points.loc[("float32", 10), "mean"] == pytest.approx(3.5)
    assert points.loc[("bfloat16", 20), "mean"] == pytest.approx(7.0)
    assert points.loc[("bfloat16", 20), "flag"] == "caution 7/21"
    assert points.loc[("float32", 20), "flag"] == ""


def test_over_seeds_the_band_is_the_range():
    seeds = [trajectory(frame([0, 1], [v, v]), "update_norm") for v in (1.0, 2.0, 6.0)]
    point = over_seeds(seeds).iloc[0]
    assert (point["mean"], point["low"], point["high"]) == (3.0, 1.0, 6.0)


def test_attention_matrices_are_named_and_their_absence_is_said():
    table = pd.DataFrame(measurement_rows())
    rows, words = attention_rows(table)
    assert set(rows["module"]) == {"q_proj", "k_proj", "v_proj", "o_proj"}
    assert "attention" in words
    others = table[table["module"] == "up_proj"]
    rows, words = attention_rows(others)
    assert len(rows) == len(others)
    assert words.startswith("all matrices")


def test_doubt_follows_the_family_of_the_metric():
    rows = frame([0, 1], [1.0, 1.0], reliability=["poor", "caution"], flags=[["ill_defined"], []])
    assert doubt(rows, "stable_rank") == doubt(rows, "sim16_end") == "poor 1/2"
    assert doubt(rows, "angle_right_max") == "ill_defined 1/2"
    assert doubt(rows, "angle_right_mean") == doubt(rows, "update_norm") == ""
