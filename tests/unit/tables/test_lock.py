import pandas as pd
import pytest

from hodograph.errors import SettingsError
from hodograph.tables.lock import lock_of
from hodograph.tables.store import table_of, to_frame
from hodograph.tables.thresholds import LockThresholds

STEPS = (10, 20, 30, 40, 50, 60)


def matrix(standing, layer, module="q_proj", steps=STEPS, ranks=None):
    counted = {"locked": 4, "not locked": 4, "undetermined": 2}[standing]
    return [
        {
            "parameter": f"model.layers.{layer}.{module}.weight",
            "module": module,
            "layer": layer,
            "step": step,
            "storage": "float32",
            "stable_rank": ranks[place] if ranks else 2.0,
            "lock_counts": int(place < counted) if place < len(steps) - 2 else None,
            "lock_step": 20 if standing == "locked" else None,
        }
        for place, step in enumerate(steps)
    ]


def verdict(matrices, thresholds=None):
    rows = [row for one in matrices for row in one]
    return lock_of(to_frame(table_of(rows)), thresholds or LockThresholds(), seed=0)["float32"]


def layers(*standings, modules=1):
    return [
        matrix(standing, layer, f"m{module}")
        for layer, standing in enumerate(standings)
        for module in range(modules)
    ]


def test_all_locked():
    entry = verdict(layers(*["locked"] * 4))
    assert entry["verdict"] == "locked"
    assert (entry["share"], entry["low"], entry["high"], entry["step"]) == (1.0, 1.0, 1.0, 20.0)
    assert entry["thresholds"]["share"] == 0.8
    assert "4 of 4" in entry["reason"]


def test_none_locked():
    entry = verdict(layers(*["not locked"] * 4))
    assert (entry["verdict"], entry["share"]) == ("not locked", 0.0)
    assert (entry["low"], entry["high"]) == (0.0, 0.0)
    assert (entry["step"], entry["stable_rank_band"]) == (None, None)


def test_too_few_that_count_is_undetermined():
    entry = verdict(layers(*["undetermined"] * 4))
    assert (entry["verdict"], entry["share"]) == ("undetermined", None)
    assert (entry["low"], entry["high"]) == (0.0, 1.0)
    assert "4 are undetermined" in entry["reason"]


def test_undetermined_matrices_can_decide_and_then_nothing_is_decided():
    mixed = layers(*["locked"] * 7, *["undetermined"] * 3)
    entry = verdict(mixed)
    assert (entry["verdict"], entry["share"]) == ("undetermined", 1.0)
    assert verdict(mixed, LockThresholds(share=0.3))["verdict"] == "locked"
    unlocked = layers(*["not locked"] * 7, *["undetermined"] * 3)
    assert verdict(unlocked)["verdict"] == "not locked"


def test_an_interval_that_spans_the_share_is_undetermined():
    entry = verdict(layers(*["locked"] * 8, *["not locked"] * 2))
    assert entry["verdict"] == "undetermined"
    assert entry["low"] < 0.8 < entry["high"]
    assert "interval over layers spans 0.8" in entry["reason"]


def test_the_interval_resamples_layers_not_matrices():
    few = verdict(layers(*["locked"] * 5, *["not locked"] * 5))
    many = verdict(layers(*["locked"] * 5, *["not locked"] * 5, modules=20))
    assert (few["low"], few["high"]) == (many["low"], many["high"])


def test_one_layer_has_no_interval_and_decides_by_its_matrices():
    matrices = [matrix("locked", 0, f"m{i}") for i in range(5)]
    entry = verdict(matrices)
    assert (entry["verdict"], entry["low"], entry["high"]) == ("locked", None, None)
    matrices[0] = matrix("not locked", 0, "m0")
    assert verdict(matrices)["verdict"] == "locked"  # 80 %
    matrices[1] = matrix("not locked", 0, "m1")
    assert verdict(matrices)["verdict"] == "not locked"


def test_a_short_trajectory_says_what_it_lacks():
    entry = verdict([matrix("undetermined", layer, steps=STEPS[:4]) for layer in range(3)])
    assert entry["verdict"] == "undetermined"
    assert entry["reason"] == "4 checkpoint(s) after the base; at least 5 are needed"


def test_matrices_without_an_update_are_left_out():
    still = [row | {"stable_rank": None} for row in matrix("undetermined", 9)]
    entry = verdict([*layers(*["locked"] * 4), still])
    assert sum(entry["matrices"].values()) == 4
    assert verdict([still])["reason"] == "no matrix has a spectrum of its update"


def test_the_band_of_the_stable_rank_starts_at_the_lock():
    ranks = (9.0, 2.0, 3.0, 2.5, 2.0, 2.2)
    entry = verdict([matrix("locked", layer, ranks=ranks) for layer in range(2)])
    assert entry["stable_rank_band"] == pytest.approx(1.5)


def test_storages_have_their_own_verdicts():
    rows = [row for one in layers(*["locked"] * 2) for row in one]
    rows += [
        row | {"storage": "bfloat16", "lock_step": None}
        for one in layers(*["not locked"] * 2)
        for row in one
    ]
    found = lock_of(to_frame(table_of(rows)), LockThresholds(), seed=0)
    assert {storage: entry["verdict"] for storage, entry in found.items()} == {
        "float32": "locked",
        "bfloat16": "not locked",
    }


def test_rows_without_a_layer_are_one_group():
    rows = [row | {"layer": None} for row in matrix("locked", 0)]
    frame = to_frame(table_of(rows))
    assert pd.isna(frame["layer"]).all()
    assert lock_of(frame, LockThresholds(), seed=0)["float32"]["verdict"] == "locked"


@pytest.mark.parametrize(
    "wrong", [{"capture": 0}, {"share": 1.5}, {"energy": -1}, {"after": 0}, {"noise": -1.0}]
)
def test_thresholds_out_of_range_are_refused(wrong):
    with pytest.raises(SettingsError, match=f"lock.{next(iter(wrong))}"):
        LockThresholds(**wrong)


def captures(matrices, early, random, null):
    """The same matrices with captures where they count."""
    beside = {"capture16": early, "capture16_by_inputs": random, "capture16_input_null": null}
    return [[row | beside for row in one] for one in matrices]


@pytest.mark.parametrize(
    ("random", "null", "explained"),
    [(0.9, 0.94, 4), (0.72, 0.73, 4), (0.71, 0.94, 0), (0.9, 0.71, 0), (0.1, 0.94, 0)],
)
def test_inputs_explain_a_lock_they_capture_as_well(random, null, explained):
    entry = verdict(captures(layers(*["locked"] * 4), 0.9, random, null))
    assert entry["inputs"]["explained"] == explained
    assert entry["verdict"] == ("locked, explained by inputs" if explained else "locked")
    assert (entry["share"], entry["inputs"]["early"]) == (1.0, pytest.approx(0.9))
    assert f"explains {explained} of them" in entry["reason"]
    assert f"captures {random:.2f} of the rest" in entry["reason"]


def test_the_part_that_inputs_must_reach_can_be_set():
    matrices = captures(layers(*["locked"] * 4), 0.9, 0.5, 0.94)
    assert verdict(matrices)["verdict"] == "locked"
    found = verdict(matrices, LockThresholds(inputs=0.5))
    assert found["verdict"] == "locked, explained by inputs"
    assert found["thresholds"]["inputs"] == 0.5


def test_only_captures_from_the_lock_on_that_count_are_compared():
    matrices = captures(layers(*["locked"] * 3), 0.9, 0.85, 0.94)
    for one in matrices:
        one[0] |= {"capture16_by_inputs": -5.0}  # before t*
        one[4] |= {"capture16_by_inputs": -5.0}  # does not count
    assert verdict(matrices)["inputs"]["random"] == pytest.approx(0.85)


def test_layers_that_differ_leave_a_lock_unexplained():
    some = captures(layers(*["locked"] * 9), 0.9, 0.85, 0.94)
    some += [
        [row | {"layer": 9, "parameter": "other"} for row in one]
        for one in captures(layers("locked"), 0.9, 0.1, 0.94)
    ]
    entry = verdict(some)
    assert entry["verdict"] == "locked"
    assert entry["inputs"]["share"] == 0.9
    assert entry["inputs"]["low"] < 0.8
    assert "reaches below 0.8" in entry["reason"]


def test_a_matrix_whose_inputs_are_not_known_is_not_explained():
    known = captures(layers(*["locked"] * 3), 0.9, 0.85, 0.94)
    unknown = captures(layers(*["locked"] * 6)[3:], 0.9, None, None)
    entry = verdict([*known, *unknown])
    assert entry["inputs"]["share"] == 0.5
    assert (entry["inputs"]["known"], entry["inputs"]["locked"]) == (3, 6)
    assert entry["verdict"] == "locked"
    assert verdict(captures(layers(*["locked"] * 4), 0.9, None, None))["inputs"] is None


def test_without_a_lock_there_is_nothing_to_explain():
    entry = verdict(captures(layers(*["not locked"] * 4), 0.3, 0.3, 0.94))
    assert (entry["verdict"], entry["inputs"]) == ("not locked", None)
