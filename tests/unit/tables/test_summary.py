import numpy as np
import pandas as pd
import pytest

from hodograph.tables.store import table_of, to_frame
from hodograph.tables.summary import factored, summarise, with_energy_share


def rows(values, layers, **columns):
    return [
        {
            "step": 1,
            "storage": "float32",
            "layer": layer,
            "rows": 2,
            "cols": 3,
            "stable_rank": value,
        }
        | {name: column[i] for name, column in columns.items()}
        for i, (value, layer) in enumerate(zip(values, layers, strict=True))
    ]


def summary(matrices, metric):
    (checkpoint,) = summarise(to_frame(table_of(matrices)), seed=0)
    return checkpoint["metrics"][metric]


def test_mean_median_and_count_leave_empty_values_out():
    entry = summary(rows([1.0, 2.0, 6.0, None], [0, 0, 1, 1]), "stable_rank")
    assert (entry["mean"], entry["median"], entry["n"]) == (3.0, 2.0, 3)
    assert "weighted" not in entry


def test_a_metric_without_values_has_no_mean():
    assert summary(rows([1.0], [0]), "nss") == {"n": 0, "mean": None, "median": None}


def test_sparsity_is_weighted_by_size():
    matrices = rows([1.0, 1.0], [0, 1], update_sparsity=[0.0, 1.0])
    matrices[1]["rows"] = 6  # three times the size
    assert summary(matrices, "update_sparsity")["weighted"] == pytest.approx(0.75)


def test_the_interval_of_a_weighted_metric_bounds_the_weighted_mean():
    small = rows([1.0] * 8, range(8), update_sparsity=[0.2, 0.3] * 4)
    large = rows([1.0] * 8, range(8), update_sparsity=[0.8, 0.9] * 4)
    for row in large:
        row["rows"] = 200
    entry = summary(small + large, "update_sparsity")
    assert entry["low"] < entry["weighted"] < entry["high"]
    assert entry["low"] > entry["mean"]


def test_the_interval_resamples_layers_not_matrices():
    # ten equal matrices a layer: only the layer's value varies, so ten layers carry ten numbers
    generator = np.random.default_rng(0)
    by_layer = generator.normal(5, 1, size=30)
    entry = summary(rows(np.repeat(by_layer, 10), np.repeat(np.arange(30), 10)), "stable_rank")
    standard_error = by_layer.std(ddof=1) / np.sqrt(30)
    assert entry["high"] - entry["low"] == pytest.approx(2 * 1.96 * standard_error, rel=0.15)
    assert entry["low"] < by_layer.mean() < entry["high"]


def test_one_layer_has_no_interval():
    entry = summary(rows([1.0, 2.0], [0, 0]), "stable_rank")
    assert (entry["low"], entry["high"]) == (None, None)


def test_steps_and_storages_are_kept_apart():
    matrices = rows([1.0, 2.0], [0, 0])
    matrices[1] |= {"step": 2}
    found = summarise(to_frame(table_of(matrices)), seed=0)
    assert [(c["step"], c["metrics"]["stable_rank"]["mean"]) for c in found] == [(1, 1), (2, 2)]


def test_energy_shares_sum_to_one_for_each_step():
    matrices = rows([1, 1, 1, 1], [0, 1, 0, 1], update_norm=[3.0, 4.0, 0.0, 0.0])
    matrices[2] |= {"step": 2}
    matrices[3] |= {"step": 2}
    shares = [row["energy_share"] for row in with_energy_share(matrices)]
    assert shares == [pytest.approx(9 / 25), pytest.approx(16 / 25), None, None]


def test_methods_and_uncertified_rows_are_counted():
    matrices = rows(
        [1, 1, 1, None], range(4), method=["gram", "gram+svd", "gram", None],
        flags=[[], ["ill_defined", "uncertified"], [], ["no_update"]],
    )  # fmt: skip
    assert factored(to_frame(table_of(matrices))) == {
        "rows": 3, "methods": {"gram": 2, "gram+svd": 1}, "uncertified": 1,
    }  # fmt: skip


def test_a_column_nobody_declared_is_refused():
    with pytest.raises(KeyError, match="stabel_rank"):
        table_of([{"stabel_rank": 1.0}])


def test_absent_integers_stay_absent():
    frame = to_frame(table_of([{"layer": None}, {"layer": 3}]))
    assert pd.isna(frame["layer"][0])
    assert frame["layer"][1] == 3
