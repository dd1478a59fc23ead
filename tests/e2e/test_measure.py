"""`hodograph measure` as a user runs it, on real architectures built small."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch

HODOGRAPH = str(Path(sys.executable).with_name("hodograph"))
CONTRACT = [
    "parameter", "layer", "module", "expert", "step", "storage", "rows", "cols",
    "update_sparsity", "update_norm", "relative_norm", "angle_left_mean", "angle_left_max",
    "angle_right_mean", "angle_right_max", "angle_k", "nss", "overlap_principal_30",
    "overlap_low_30", "overlap_principal_30_null", "overlap_low_30_null", "stable_rank",
    "hill_11", "top16_energy", "sim16_end",
]  # fmt: skip


def hodograph(*arguments, **options):
    command = [HODOGRAPH, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **options)


def trained(tmp_path, model, steps=(10, 20), scale=2e-4):
    """Save a model's trajectory: W0 on the bfloat16 grid, then small random steps."""
    torch.manual_seed(0)
    folders = []
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.bfloat16().float())
        for step in (0, *steps):
            if step:
                for parameter in model.parameters():
                    parameter.add_(torch.randn_like(parameter) * scale)
            folders.append(tmp_path / f"step_{step}")
            model.save_pretrained(folders[-1], max_shard_size="100KB" if step == 10 else "5GB")
    return folders


@pytest.fixture(scope="module")
def qwen(tmp_path_factory):
    transformers = pytest.importorskip("transformers")
    config = transformers.Qwen3Config(
        vocab_size=30, hidden_size=48, intermediate_size=64, num_hidden_layers=2, head_dim=16,
        num_attention_heads=4, num_key_value_heads=2, tie_word_embeddings=True,
    )  # fmt: skip
    model = transformers.Qwen3ForCausalLM(config)
    return trained(tmp_path_factory.mktemp("qwen"), model)


@pytest.mark.train
def test_a_trajectory_of_qwen3_checkpoints(qwen, tmp_path):
    done = hodograph("measure", *qwen, "--out", tmp_path / "m", "--also-bf16", "--lr", "1e-4")
    assert done.returncode == 0, done.stderr
    assert "report.html" in done.stdout
    matrices = pq.read_table(tmp_path / "m" / "matrices.parquet").to_pandas()
    assert set(CONTRACT) <= set(matrices.columns)
    assert len(matrices) == 2 * 7 * 2 * 2  # layers, modules, steps, storages
    assert set(matrices["storage"]) == {"float32", "bfloat16"}
    last = matrices[(matrices["step"] == 20) & (matrices["storage"] == "float32")]
    assert last["sim16_end"].to_list() == pytest.approx([1.0] * 14)
    assert last["kappa"].to_list() == pytest.approx((last["update_rms"] / 2e-3).to_list())
    # isotropic steps: nothing but size and storage, so the nulls are met
    assert last["update_sparsity"].mean() == pytest.approx(
        last["update_sparsity_null"].mean(), abs=0.01
    )
    assert last["nss"].mean() == pytest.approx(last["nss_null"].mean(), rel=0.5)
    summary = json.loads((tmp_path / "m" / "summary.json").read_text())
    assert summary["matrices"] == 14
    assert [c["step"] for c in summary["checkpoints"]] == [10, 10, 20, 20]
    sparsity = summary["checkpoints"][-1]["metrics"]["update_sparsity"]
    sizes = last["rows"] * last["cols"]
    by_hand = (last["update_sparsity"] * sizes).sum() / sizes.sum()
    assert sparsity["weighted"] == pytest.approx(by_hand)
    assert sparsity["low"] <= sparsity["weighted"] <= sparsity["high"]
    assert not list((tmp_path / "m").glob("parts-*"))


@pytest.mark.train
def test_gpt2_names_are_split_and_turned(tmp_path):
    transformers = pytest.importorskip("transformers")
    config = transformers.GPT2Config(n_embd=32, n_layer=1, n_head=2, vocab_size=40, n_positions=16)
    folders = trained(tmp_path, transformers.GPT2LMHeadModel(config), steps=(10,))
    done = hodograph("measure", *folders, "--out", tmp_path / "m")
    assert done.returncode == 0, done.stderr
    matrices = pq.read_table(tmp_path / "m" / "matrices.parquet").to_pandas()
    shapes = {row.module: (row.rows, row.cols) for row in matrices.itertuples()}
    assert shapes == {
        "q_proj": (32, 32), "k_proj": (32, 32), "v_proj": (32, 32), "o_proj": (32, 32),
        "up_proj": (128, 32), "down_proj": (32, 128),
    }  # fmt: skip


@pytest.fixture
def pair(tmp_path, write_checkpoint, layered):
    return (
        write_checkpoint(tmp_path / "base", layered(0)),
        write_checkpoint(tmp_path / "step_5", layered(1)),
    )


def refused(done, *words):
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    message = done.stderr[done.stderr.index("error:") :]
    for word in words:
        assert word in message, message


def test_bad_input_ends_with_one_clear_message(tmp_path, pair, write_checkpoint, layered):
    base, tuned = pair
    out = tmp_path / "m"
    refused(hodograph("measure", base, tmp_path / "no", "--out", out), "no such file")
    refused(hodograph("measure", base, "--out", out), "at least one tuned checkpoint")
    refused(hodograph("measure", base, tuned, "--out", out, "--steps", "a"), "--steps a")
    other = layered(2)
    other["model.layers.0.mlp.down_proj.weight"] = torch.zeros(3, 3)
    shaped = write_checkpoint(tmp_path / "shaped", other)
    refused(hodograph("measure", base, shaped, "--out", out), "(3, 3)", "--unpaired skip")
    assert not out.exists()


def test_an_unknown_option_ends_with_exit_code_2(pair, tmp_path):
    done = hodograph("measure", *pair, "--out", tmp_path / "m", "--scop", "linear")
    assert done.returncode == 2
    assert "--scop" in done.stderr
    assert "Traceback" not in done.stderr


def test_nan_weights_are_refused_or_counted_on_request(tmp_path, pair, write_checkpoint, layered):
    tensors = layered(1)
    tensors["model.layers.1.self_attn.q_proj.weight"][2, 3] = float("nan")
    broken = write_checkpoint(tmp_path / "step_9", tensors)
    out = tmp_path / "m"
    done = hodograph("measure", pair[0], broken, "--out", out)
    refused(done, "model.layers.1.self_attn.q_proj.weight", "step_9", "--nonfinite skip")
    assert not (out / "summary.json").exists()
    done = hodograph("measure", pair[0], broken, "--out", out, "--nonfinite", "skip")
    assert done.returncode == 0, done.stderr
    assert "NaN" in done.stdout
    matrices = pq.read_table(out / "matrices.parquet").to_pandas()
    (row,) = matrices[matrices["nonfinite"] > 0].to_dict("records")
    assert row["nonfinite"] == 1
    assert pd.isna(row["stable_rank"])
    assert "nonfinite" in row["flags"]


def test_identical_checkpoints_are_warned_of_loudly(tmp_path, pair):
    done = hodograph("measure", pair[0], pair[0], "--out", tmp_path / "m")
    assert done.returncode == 0, done.stderr
    assert "identical to the base" in done.stdout
    matrices = pq.read_table(tmp_path / "m" / "matrices.parquet").to_pandas()
    assert (matrices["update_sparsity"] == 1).all()
    assert matrices["stable_rank"].isna().all()
    assert all("no_update" in flags for flags in matrices["flags"])


def test_an_unwritable_folder_is_one_line(tmp_path, pair):
    (tmp_path / "file").write_text("")
    refused(hodograph("measure", *pair, "--out", tmp_path / "file" / "m"), "cannot be written")


def test_no_disk_space_is_one_line_and_loses_nothing(pair):
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this machine has no /dev/full")
    from hodograph.atomic import write_atomically
    from hodograph.errors import StorageError

    def onto_a_full_device(temporary):
        with full.open("w") as file:
            file.write("x" * 100_000)

    with pytest.raises(StorageError, match="no space left"):
        write_atomically(pair[0] / "x.parquet", onto_a_full_device)
    assert not (pair[0] / "x.parquet").exists()


def test_killed_and_run_again_gives_the_same_bytes(tmp_path, write_checkpoint):
    generator = torch.Generator().manual_seed(0)
    names = [f"model.layers.{i}.self_attn.q_proj.weight" for i in range(8)]
    tensors = {name: torch.randn(300, 300, generator=generator) * 0.02 for name in names}
    base = write_checkpoint(tmp_path / "base", tensors)
    moved = {name: tensor + 1e-4 * torch.randn(300, 300) for name, tensor in tensors.items()}
    tuned = write_checkpoint(tmp_path / "step_1", moved)
    command = [HODOGRAPH, "measure", str(base), str(tuned), "--out"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert subprocess.run([*command, whole], env=environment).returncode == 0
    process = subprocess.Popen([*command, cut], env=environment, stderr=subprocess.DEVNULL)
    while not list(cut.glob("parts-*/*.arrow")) and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (cut / "summary.json").exists()
    kept = len(list(cut.glob("parts-*/*.arrow")))
    assert 1 <= kept < 8
    assert subprocess.run([*command, cut], env=environment).returncode == 0
    for name in ("matrices.parquet", "summary.json", "report.html"):
        assert (whole / name).read_bytes() == (cut / name).read_bytes()
