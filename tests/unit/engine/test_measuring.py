import json

import pandas as pd
import pytest
import torch

from hodograph import compare, measure
from hodograph.engine.settings import Settings
from hodograph.errors import CheckpointError, FactoringError, SettingsError
from planted.narrow import narrow_at_eight

Q = "model.layers.0.self_attn.q_proj.weight"


@pytest.fixture
def checkpoint(tmp_path, write_checkpoint):
    def write(name, scale, training=None):
        base = torch.randn(24, 16, generator=torch.Generator().manual_seed(0))
        step = torch.randn(24, 16, generator=torch.Generator().manual_seed(1))
        folder = write_checkpoint(tmp_path / name, {Q: base + scale * step})
        if training is not None:
            (folder / "hodograph_step.json").write_text(json.dumps(training))
        return folder

    return write


def kappa(*arguments, **settings):
    row = measure(*arguments, **settings).matrices.iloc[-1]
    return row["kappa"], row["update_rms"]


def test_kappa_uses_what_the_checkpoints_record(checkpoint):
    base = checkpoint("a", 0.0)
    tuned = checkpoint("b", 0.01, {"step": 50, "learning_rate_sum": 0.02})
    value, rms = kappa(base, tuned)
    assert value == pytest.approx(rms / 0.02)


def test_kappa_counts_from_the_base_not_from_the_start_of_the_run(checkpoint):
    base = checkpoint("a", 0.01, {"step": 50, "learning_rate_sum": 0.02})
    tuned = checkpoint("b", 0.02, {"step": 60, "learning_rate_sum": 0.025})
    value, rms = kappa(base, tuned)
    assert value == pytest.approx(rms / 0.005)
    value, rms = kappa(checkpoint("step_50", 0.01), checkpoint("step_60", 0.02), learning_rate=1e-3)
    assert value == pytest.approx(rms / 0.01)


def test_what_was_spent_counts_from_the_base(checkpoint):
    first = {"learning_rate_sum": 0.02, "weight_decay_sum": 0.001, "skipped_steps": 2}
    last = {"learning_rate_sum": 0.025, "weight_decay_sum": 0.003, "skipped_steps": 6}
    base, tuned = (
        checkpoint("a", 0.01, {"step": 50} | first),
        checkpoint("b", 0.02, {"step": 70} | last),
    )
    row = measure(base, tuned).matrices.iloc[0]
    assert row["kappa_random_walk"] == 0.25  # 20 steps, of which 4 were skipped
    assert row["weight_decay_sum"] == pytest.approx(0.002)
    assert row["weight_decay_norm"] == pytest.approx(0.002 * row["base_norm"])


def test_a_first_checkpoint_without_update_leaves_the_later_ones_their_nulls(checkpoint):
    folders = [checkpoint(f"step_{step}", scale) for step, scale in ((0, 0.0), (1, 0.0), (2, 0.01))]
    later = measure(folders[0], folders[1:]).matrices.iloc[1]
    assert (
        later["angle_left_mean_null"]
        == measure(folders[0], folders[2:]).matrices.iloc[0]["angle_left_mean_null"]
    )


def test_a_learning_rate_without_steps_is_refused(checkpoint):
    with pytest.raises(SettingsError, match="--steps"):
        measure(checkpoint("a", 0.0), checkpoint("b", 0.01), learning_rate=1e-3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("scope", "atention"), ("only", "norms"), ("unpaired", "drop"), ("nonfinite", "warn"),
        ("angle_k", 0), ("permutations", 0), ("learning_rate", -1.0),
    ],
)  # fmt: skip
def test_settings_that_mean_nothing_are_refused(name, value):
    with pytest.raises(SettingsError, match=f"{name} is"):
        Settings(**{name: value})


@pytest.fixture
def broken(tmp_path, write_checkpoint):
    weights = torch.randn(24, 16, generator=torch.Generator().manual_seed(0))
    base = write_checkpoint(tmp_path / "step_0", {Q: weights})
    weights = weights.clone()
    weights[3, 4] = torch.inf
    return base, write_checkpoint(tmp_path / "step_1", {Q: weights})


@pytest.mark.parametrize("only", ["everything", "sparsity"])
def test_what_was_measured_with_skip_does_not_pass_without_it(broken, tmp_path, only):
    out = tmp_path / "m"
    with pytest.raises(CheckpointError, match="--nonfinite skip"):
        measure(*broken, out=out, only=only)
    skipped = measure(*broken, out=out, only=only, nonfinite="skip").matrices
    assert skipped["nonfinite"].to_list() == [1]
    assert skipped["update_sparsity"].to_list() == [1.0]
    with pytest.raises(CheckpointError, match="--nonfinite skip"):
        measure(*broken, out=out, only=only)


@pytest.fixture
def beyond_float32(tmp_path, write_checkpoint):
    weights = torch.randn(24, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    base = write_checkpoint(tmp_path / "w0", {Q: weights})
    weights = weights.clone()
    weights[3, 4] = -1e200
    return base, write_checkpoint(tmp_path / "w1", {Q: weights})


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("only", ["everything", "sparsity"])
def test_weights_beyond_float32_are_refused_by_name(beyond_float32, only, turned):
    folders = beyond_float32[::-1] if turned else beyond_float32
    where = "the base" if turned else ".*w1"
    with pytest.raises(CheckpointError, match=f"^{Q}: NaN or infinite weights in {where}, in flo"):
        measure(*folders, only=only)
    skipped = measure(*folders, only=only, nonfinite="skip").matrices
    assert skipped["nonfinite"].to_list() == [1]
    assert skipped["flags"].map(list).to_list() == [["nonfinite"]]
    with pytest.raises(CheckpointError, match="NaN or infinite weights"):
        compare(*folders, folders[0])


def test_a_difference_beyond_float32_is_one_line_that_names_the_parameter(
    tmp_path, write_checkpoint
):
    weights = torch.full((24, 16), 3e38)
    folders = [
        write_checkpoint(tmp_path / f"step_{i}", {Q: sign * weights})
        for i, sign in enumerate((1, -1))
    ]
    with pytest.raises(FactoringError, match=rf"^{Q}: .* 24 x 16 matrix, entries up to inf"):
        measure(*folders)


def test_a_row_beyond_its_targets_says_so_and_is_counted(tmp_path, write_checkpoint):
    generator = torch.Generator().manual_seed(0)
    step = 1e-3 * torch.randn(16, 16, generator=generator)
    names = (Q, Q.replace("q_proj", "k_proj"))
    base = dict(zip(names, (torch.eye(16), torch.randn(16, 16, generator=generator)), strict=True))
    tuned = {name: weights + step for name, weights in base.items()}
    folders = [write_checkpoint(tmp_path / f"step_{i}", t) for i, t in enumerate((base, tuned))]
    found = measure(*folders)
    rows = found.matrices.set_index("parameter")
    assert rows.loc[Q, "certificate_angles"] > 1  # the identity has no gap
    assert "uncertified" in rows.loc[Q, "flags"]
    assert "uncertified" not in rows.loc[names[1], "flags"]
    assert found.summary["factored"] == {"rows": 2, "methods": {"gram": 2}, "uncertified": 1}


def test_w0_is_vouched_for_at_the_size_of_the_angles(tmp_path, write_checkpoint):
    base = narrow_at_eight()
    left, _, right_h = torch.linalg.svd(base)
    step = 0.1 * torch.outer(left[:, 7], right_h[7])  # W1's own gap at 8 is wide
    folders = [
        write_checkpoint(tmp_path / f"step_{i}", {Q: t}) for i, t in enumerate((base, base + step))
    ]
    row = measure(*folders).matrices.iloc[0]
    assert row["angle_k"] == 8
    assert row["certificate_angles"] < 1e-6
    assert "uncertified" not in row["flags"]


def test_a_wide_file_of_narrow_values_is_read_as_rounded(tmp_path, write_checkpoint):
    generator = torch.Generator().manual_seed(0)
    base = (torch.randn(64, 48, generator=generator) * 0.02).bfloat16()
    tuned = (base.float() + 2e-5 * torch.randn(64, 48, generator=generator)).bfloat16()
    rows = []
    for dtype in (torch.bfloat16, torch.float32):
        folders = [
            write_checkpoint(tmp_path / str(dtype) / f"step_{i}", {Q: w.to(dtype)})
            for i, w in enumerate((base, tuned))
        ]
        rows.append(measure(*folders).matrices.iloc[0])
    narrow, wide = rows
    assert wide["reliability"] == narrow["reliability"] != "ok"
    for name in ("noise_floor", "resolved_rank", "stable_rank", "update_sparsity"):
        assert wide[name] == narrow[name]
    assert "rounded to bfloat16 before" in wide["null_reason"]
    assert pd.isna(wide["update_sparsity_null"])
