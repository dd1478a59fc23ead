"""The library equals plain definitions, and itself by other ways to the same weights."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

from hodograph import measure

ROOT = Path(__file__).parents[2]


def load_example(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def pair(tmp_path, write_checkpoint, layered):
    base, step = layered(0), layered(1)
    tuned = {name: tensor + 0.01 * step[name] for name, tensor in base.items()}
    return write_checkpoint(tmp_path / "base", base), write_checkpoint(tmp_path / "step_5", tuned)


def test_the_minimal_example_equals_the_library(pair):
    example = load_example("minimal_measure")
    base, tuned = (example.read(folder) for folder in pair)
    matrices = measure(*pair).matrices.set_index("parameter")
    assert set(base) == set(matrices.index)
    for name in base:
        for column, value in example.measure(base[name], tuned[name]).items():
            # angles near zero lose digits to the two SVD drivers; everything else is at rounding
            exact = 1e-7 if column.startswith("principal_energy") else 1e-9  # shares in float32
            assert matrices.loc[name, column] == pytest.approx(value, rel=exact, abs=1e-12), column


def test_any_number_of_workers_gives_the_same_bytes(tmp_path, write_checkpoint, layered):
    base, tuned, end = (
        write_checkpoint(tmp_path / f"step_{i}", layered(i, layers=4)) for i in range(3)
    )
    serial = measure(base, [tuned, end], also_bf16=True)
    parallel = measure(base, [tuned, end], also_bf16=True, workers=3)
    pd.testing.assert_frame_equal(serial.matrices, parallel.matrices, check_exact=True)
    assert serial.summary == parallel.summary


def test_only_sparsity_is_the_same_sparsity(pair):
    whole, only = measure(*pair).matrices, measure(*pair, only="sparsity").matrices
    for name in ("parameter", "storage", "update_sparsity", "density"):
        assert whole[name].to_list() == only[name].to_list()
    assert only["stable_rank"].isna().all()


def test_sharded_equals_single(pair, tmp_path):
    tensors = load_file(pair[1] / "model.safetensors")
    shards = tmp_path / "sharded" / "step_5"
    shards.mkdir(parents=True)
    names = {name: f"part-{index}.safetensors" for index, name in enumerate(tensors)}
    for name, file in names.items():
        save_file({name: tensors[name]}, shards / file)
    (shards / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))
    single, sharded = measure(*pair), measure(pair[0], shards)
    pd.testing.assert_frame_equal(single.matrices, sharded.matrices, check_exact=True)


def test_kept_on_disk_equals_kept_in_memory(pair, tmp_path):
    in_memory, on_disk = measure(*pair), measure(*pair, out=tmp_path / "m")
    again = measure(*pair, out=tmp_path / "m")
    for other in (on_disk, again):
        pd.testing.assert_frame_equal(in_memory.matrices, other.matrices, check_exact=True)
    assert in_memory.summary == on_disk.summary == again.summary


def test_other_settings_in_the_same_folder_are_measured_anew(pair, tmp_path):
    first = measure(*pair, out=tmp_path / "m")
    second = measure(*pair, out=tmp_path / "m", scope="attention")
    assert first.summary["matrices"] == 4
    assert second.summary["matrices"] == 2


def test_bfloat16_rows_equal_measuring_the_rounded_files(pair, tmp_path, write_checkpoint):
    rounded = [
        write_checkpoint(
            tmp_path / "rounded" / folder.name,
            {k: v.to(torch.bfloat16) for k, v in load_file(folder / "model.safetensors").items()},
        )
        for folder in pair
    ]
    seen = measure(*pair, also_bf16=True).matrices
    seen = seen[seen["storage"] == "bfloat16"].reset_index(drop=True)
    stored = measure(*rounded).matrices
    assert list(stored["storage"]) == ["bfloat16"] * 4
    nulls = [name for name in seen.columns if "null" in name and name != "nss_null"]
    of_storage = ["update_sparsity_native_dtype", "noise_floor", "noise_share", "resolved_rank"]
    nulls += of_storage
    nulls += [name for name in seen.columns if "gate" in name]  # W0 on the grid or between
    # the principal mask is cut from W0 as stored, so it may differ at its edge
    close = [name for name in seen.columns if name.startswith("overlap_principal")]
    exact = [name for name in seen.columns if name not in nulls and name not in close]
    pd.testing.assert_frame_equal(seen[exact], stored[exact], check_exact=False, rtol=1e-12)
    for name in close:
        if not name.endswith(("_null", "_null_sd")):
            assert seen[name].to_list() == pytest.approx(stored[name].to_list(), abs=0.02, rel=0.05)


def test_the_fast_way_equals_full_svds(tmp_path, write_checkpoint):
    generator = torch.Generator().manual_seed(0)
    names = [f"model.layers.{i}.self_attn.q_proj.weight" for i in range(3)]
    shapes = [(96, 96), (64, 128), (130, 70)]
    base = {
        n: torch.randn(s, generator=generator) * 0.05 for n, s in zip(names, shapes, strict=True)
    }
    ends = [
        {n: w + size * torch.randn(w.shape, generator=generator) for n, w in base.items()}
        for size in (1e-5, 1e-3)
    ]
    folders = [write_checkpoint(tmp_path / f"step_{i}", t) for i, t in enumerate((base, *ends))]
    fast = measure(folders[0], folders[1:], also_bf16=True).matrices
    slow = measure(folders[0], folders[1:], also_bf16=True, exact=True).matrices
    assert set(fast["method"]) == {"gram"}
    assert set(slow["method"]) == {"svd"}
    allowed = {"nss": 1e-6, "nss_per_relative_norm": 1e-6}
    for name in fast.columns:
        if name.startswith("certificate") or name in ("method", "spectral_gap"):
            continue
        for mine, reference in zip(fast[name], slow[name], strict=True):
            if name == "angle_null_reason":
                assert (pd.isna(mine) and pd.isna(reference)) or mine == reference
            elif name.startswith("angle") and name != "angle_k":
                assert mine == pytest.approx(reference, rel=0, abs=1e-8), name
            elif isinstance(reference, float) and not pd.isna(reference):
                assert mine == pytest.approx(reference, rel=allowed.get(name, 1e-9)), name
            else:
                assert str(mine) == str(reference) or np.allclose(mine, reference, rtol=1e-9), name


def test_wrapped_names_give_the_same_numbers(pair, tmp_path, write_checkpoint):
    tensors = load_file(pair[1] / "model.safetensors")
    wrapped = {f"module._orig_mod.{name}": tensor for name, tensor in tensors.items()}
    other = measure(pair[0], write_checkpoint(tmp_path / "wrapped" / "step_5", wrapped))
    pd.testing.assert_frame_equal(measure(*pair).matrices, other.matrices, check_exact=True)
