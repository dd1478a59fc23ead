"""Arms whose differences have a planted cause, and the verdict that names it."""

import json

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from hodograph.cli.orderings import print_orderings
from hodograph.orderings.metrics import COLUMNS, ORDERED, seen
from hodograph.orderings.ordering import orderings_of, record

MODULES = ("q_proj", "up_proj")
STEPS, LAYERS = (20, 40, 60, 80, 100), 4
METRICS = {one.column: one for one in ORDERED}


def table(size, seed=0, *, steps=STEPS, storages=("float32",), offset=0.0, low=None, **columns):
    """A run that moves `size` times as far as another and lies on the same curves.

    Args:
        size: of the update; norms are 1 % of it at the end.
        seed: every seed moves a little farther or less far.
        steps: checkpoints.
        storages: rows there are.
        offset: added to every stable rank, whatever the norm.
        low: low-magnitude overlap, and of its null; by default both follow the norm.
        **columns: columns to plant as they are.
    """
    rows = []
    for storage in storages:
        for step in steps:
            for layer in range(LAYERS):
                for module in MODULES:
                    norm = 0.01 * size * (1 + 0.03 * seed) * step / 100 * (1 + 0.1 * layer)
                    sparsity, overlap = 1 / (1 + 60 * norm), 0.3 + 0.2 * np.exp(-200 * norm)
                    overlap = overlap if low is None else low + 0.01 * seed
                    row = dict.fromkeys(COLUMNS, 0.5) | {
                        "layer": layer, "module": module, "step": step, "storage": storage,
                        "rows": 8, "cols": 4, "null_reason": None,
                        "relative_norm": norm, "update_sparsity": sparsity,
                        "update_sparsity_null": 0.5, "angle_right_mean": 60 * norm,
                        "overlap_low_30": overlap, "overlap_low_30_null": overlap,
                        "overlap_low_30_gate": overlap - 0.01,
                        "stable_rank": 3 + 20 * norm + offset + 0.02 * seed,
                    }  # fmt: skip
                    rows.append(row | columns)
    return pd.DataFrame(rows)


def arms(seeds=3, **runs):
    """For each arm its tables by seed; each keyword is an arm's planted differences."""
    return {
        name: {seed: table(seed=seed, **how) for seed in range(seeds)} for name, how in runs.items()
    }


def ordering(found, column):
    return next(one for one in found if one.metric.column == column)


def only_pair(found, column):
    (pair,) = ordering(found, column).pairs
    return pair


def test_what_follows_the_norm_is_explained_by_displacement():
    found = orderings_of(arms(small={"size": 0.5}, large={"size": 1.0}))
    for column in ("angle_right_mean", "update_sparsity"):
        pair = only_pair(found, column)
        assert pair.word == "explained by displacement"
        assert pair.displacement.share == pytest.approx(1, abs=0.02)
        assert pair.difference.n == 3
    assert only_pair(found, "angle_right_mean").higher == "large"
    assert only_pair(found, "update_sparsity").higher == "small"
    assert only_pair(found, "angle_right_mean").norm == pytest.approx(0.005 * 1.15 * 1.03, rel=1e-9)


def test_an_offset_that_no_norm_makes_is_geometry():
    found = orderings_of(arms(plain={"size": 0.9}, other={"size": 1.0, "offset": 0.8}))
    pair = only_pair(found, "stable_rank")
    assert (pair.word, pair.lower, pair.higher) == ("geometry", "plain", "other")
    assert pair.displacement.remainder.mean == pytest.approx(0.8, abs=1e-3)
    assert pair.storage.standing == "beyond"


def test_an_overlap_that_its_null_repeats_is_explained_by_storage():
    found = orderings_of(arms(a={"size": 1.0, "low": 0.4}, b={"size": 1.0, "low": 0.5}))
    pair = only_pair(found, "overlap_low_30")
    assert pair.word == "explained by storage"
    assert pair.displacement.remainder.mean == pytest.approx(0.1)
    assert pair.storage.remainder.mean == pytest.approx(0, abs=1e-12)
    assert "permuted" in pair.storage.how


def test_an_overlap_that_its_null_does_not_repeat_is_geometry():
    planted = {"overlap_low_30_null": 0.4, "overlap_low_30_gate": 0.4}
    runs = arms(a={"size": 1.0, "low": 0.4} | planted, b={"size": 1.0, "low": 0.5} | planted)
    pair = only_pair(orderings_of(runs), "overlap_low_30")
    assert pair.word == "geometry"
    assert pair.storage.share == pytest.approx(0)


def test_sixteen_bits_leave_the_gate_and_no_spectra():
    stored = {"storages": ("bfloat16",), "overlap_low_30_null": None, "update_sparsity_null": None,
              "null_reason": "stored in bfloat16"}  # fmt: skip
    runs = arms(a={"size": 1.0, "low": 0.4, "offset": 1.0} | stored,
                b={"size": 1.0, "low": 0.5, "update_sparsity": 0.9} | stored)  # fmt: skip
    found = orderings_of(runs)
    assert only_pair(found, "overlap_low_30").word == "explained by storage"
    assert "Gaussian" in only_pair(found, "overlap_low_30").storage.how
    for column, why in (("stable_rank", "16 bits"), ("update_sparsity", "no null")):
        pair = only_pair(found, column)
        assert pair.word == "undetermined"
        assert why in pair.why


def test_float32_files_that_were_rounded_before_are_not_wide():
    rounded = table(1.0, null_reason="stored in float32, but rounded to bfloat16 before")
    assert seen(table(1.0, null_reason="no_update"), METRICS["nss"]).wide
    assert not seen(rounded, METRICS["nss"]).wide


def test_differences_that_change_sign_between_seeds_are_noise():
    runs = arms(a={"size": 1.0}, b={"size": 1.0})
    for seed, offset in enumerate((0.3, -0.2, 0.1)):
        runs["b"][seed] = table(1.0, seed, offset=offset)
    pair = only_pair(orderings_of(runs), "stable_rank")
    assert pair.word == "within seed noise"
    assert not pair.tells


def test_norms_that_do_not_overlap_are_not_compared():
    runs = arms(near={"size": 0.1, "offset": -1.0}, far={"size": 1.0, "offset": 1.0})
    pair = only_pair(orderings_of(runs), "stable_rank")
    assert (pair.word, pair.norm) == ("undetermined", None)
    assert pair.why == "not comparable: norms do not overlap"


def test_the_norm_is_displacement_itself():
    pair = only_pair(orderings_of(arms(a={"size": 0.5}, b={"size": 1.0})), "relative_norm")
    assert pair.word == "explained by displacement"
    assert pair.displacement.how == "the metric is displacement itself"


def test_one_seed_is_undetermined_and_layers_are_said_to_be_the_unit():
    one = ordering(
        orderings_of(arms(seeds=1, a={"size": 1.0}, b={"size": 1.0, "offset": 0.5})), "stable_rank"
    )
    (pair,) = one.pairs
    assert (pair.word, pair.why) == ("undetermined", "one shared seed")
    assert pair.layers.layers == LAYERS
    assert pair.layers.p == pytest.approx(2 / 2**LAYERS)  # every layer agrees
    assert pair.layers.least_p == pair.layers.p
    said = one.sentences[0]
    assert "one seed: not known, over 4 layers (layers are the unit, seeds are not)" in said
    assert "p = 0.12, the least possible 0.12" in said


def test_bfloat16_rows_tell_what_rounding_would_show():
    runs = arms(a={"size": 1.0}, b={"size": 1.0, "offset": 0.5})
    for name, lift in (("a", 4.0), ("b", 1.0)):
        for seed, rows in runs[name].items():
            narrow = rows.assign(storage="bfloat16", stable_rank=rows["stable_rank"] + lift)
            runs[name][seed] = pd.concat([rows, narrow])
    one = ordering(orderings_of(runs), "stable_rank")
    assert one.pairs[0].word == "geometry"
    assert one.pairs[0].in_bfloat16.mean == pytest.approx(0.5 - 3.0)
    assert "bfloat16 would show the opposite order, −2.50" in one.sentences[0]


def test_arms_are_ordered_on_the_seeds_that_all_share():
    runs = arms(a={"size": 1.0}, b={"size": 1.0, "offset": 0.2})
    runs["a"][3] = table(1.0, offset=50.0)  # a seed of its own must not lift it over b
    found = ordering(orderings_of(runs), "stable_rank")
    assert [name for name, _ in found.arms] == ["a", "b"]
    assert found.seeds == (0, 1, 2)
    assert found.pairs[0].difference.n == 3


def test_weighted_means_count_entries():
    rows = table(1.0, steps=(100,))
    rows.loc[rows["module"] == "q_proj", "rows"] = 24
    rows["update_sparsity"] = np.where(rows["module"] == "q_proj", 0.2, 0.6)
    rows["nss"] = np.where(rows["module"] == "q_proj", 0.2, 0.6)
    assert seen(rows, METRICS["update_sparsity"]).value == pytest.approx(0.3)
    assert seen(rows, METRICS["nss"]).value == pytest.approx(0.4)
    attention = rows["stable_rank"][rows["module"] == "q_proj"].mean()
    assert seen(rows, METRICS["stable_rank"]).value == pytest.approx(attention)


def test_a_metric_that_no_matrix_has_is_left_out():
    found = orderings_of(arms(a={"size": 1.0, "kappa": None}, b={"size": 0.5}))
    assert "kappa" not in [one.metric.column for one in found]


def test_sentences_hold_their_numbers():
    one = ordering(orderings_of(arms(small={"size": 0.5}, large={"size": 1.0})), "angle_right_mean")
    assert one.sentence == (
        "Mean principal angle, right: small 0.355° < large 0.711° (means over 3 seeds)."
    )
    (said,) = one.sentences
    # 0.345 x (1, 1.03, 1.06): standard error 0.00598, times 4.303
    assert said.startswith("large exceeds small by 0.355° (0.330 to 0.381), 95 % interval over 3")
    assert "At equal relative norm (0.592 %) the difference is " in said
    assert "displacement accounts for all of it" in said
    assert said.endswith("Verdict: explained by displacement.")


def test_the_record_is_json_and_carries_thresholds_and_sentences():
    found = orderings_of(arms(small={"size": 0.5}, large={"size": 1.0}))
    content = json.loads(json.dumps(record({"From anchor": found})))
    assert content["thresholds"] == {"level": 0.95, "remainder": 0.1}
    first = content["origins"][0]["orderings"][0]
    assert first["metric"] == "update_sparsity"
    assert first["pairs"][0]["word"] == "explained by displacement"
    assert first["pairs"][0]["sentence"] == found[0].sentences[0]
    assert first["pairs"][0]["difference"]["low"] < first["pairs"][0]["difference"]["mean"]


def test_the_terminal_shows_order_shares_verdicts_and_thresholds():
    console = Console(width=100, record=True)
    print_orderings(console, {"From anchor": orderings_of(
        arms(small={"size": 0.5}, large={"size": 1.0}))})  # fmt: skip
    lines = console.export_text().splitlines()
    place = lines.index(
        "Mean principal angle, right: small 0.355° < large 0.711° (means over 3 seeds)."
    )
    assert lines[place + 1].split() == [
        "large", "-", "small", "0.355°", "(0.330", "to", "0.381)", "100", "%", "0", "%",
        "explained", "by", "displacement",
    ]  # fmt: skip
    assert any("leaves out zero" in line and "10 % of the difference" in line for line in lines)
