"""`hodograph compare` from checkpoints on disk to its table, summary and messages."""

import os
import subprocess
import sys

import pandas as pd
import pytest
import torch

from hodograph import compare, measure
from hodograph.tables.pairs import SHARED

KILLED = "killed here"


def hodograph(*arguments):
    """Run a command as the shell would."""
    command = [sys.executable, "-c", "from hodograph.cli import main; main()"]
    command += [str(argument) for argument in arguments]
    environment = os.environ | {"COLUMNS": "120", "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)


def tuned(base, seed, scale=1e-3):
    generator = torch.Generator().manual_seed(seed)
    return {n: w + torch.randn(w.shape, generator=generator) * scale for n, w in base.items()}


@pytest.fixture
def three(tmp_path, write_checkpoint, layered):
    base = layered(0)
    folders = [write_checkpoint(tmp_path / "base", base)]
    for seed, name in ((1, "a"), (2, "b")):
        folders.append(write_checkpoint(tmp_path / name, tuned(base, seed)))
    return folders


def test_the_command_prints_and_writes(tmp_path, three):
    done = hodograph("compare", *three, "--out", tmp_path / "c")
    assert done.returncode == 0, done.stderr
    for words in ("cosine, whole update", "Sim_16, right", "differences, A - B", "W0: "):
        assert words in done.stdout
    pairs = pd.read_parquet(tmp_path / "c" / "pairs.parquet")
    assert len(pairs) == 4
    assert (pairs["cosine"].abs() < 0.2).all()
    assert {path.name for path in (tmp_path / "c").iterdir()} == {
        ".lock",
        "compare.json",
        "pairs.parquet",
    }


def test_shared_metrics_are_those_of_measure(three):
    comparison = compare(*three)
    for run_name, checkpoint in zip("ab", three[1:], strict=True):
        measured = measure(three[0], checkpoint).matrices.set_index(["parameter"])
        compared = comparison.pairs.set_index(["parameter"])
        for metric in (*SHARED, "update_norm"):
            for name, value in measured[metric].items():
                assert compared.loc[name, f"{metric}_{run_name}"] == pytest.approx(value, rel=1e-9)


def test_the_whole_update_has_one_cosine(tmp_path, three, write_checkpoint, layered):
    base, first, second = layered(0), tuned(layered(0), 1), tuned(layered(0), 2)
    comparison = compare(*three)
    names = [name for name in base if "layers" in name]

    def flat(tensors):
        return torch.cat([(tensors[n] - base[n]).double().flatten() for n in names])

    expected = torch.nn.functional.cosine_similarity(flat(first), flat(second), dim=0)
    assert comparison.summary["whole"]["cosine"] == pytest.approx(float(expected), rel=1e-9)


def test_differences_have_tests_and_signs(tmp_path, three, write_checkpoint, layered):
    larger = write_checkpoint(tmp_path / "larger", tuned(layered(0), 5, scale=4e-3))
    summary = compare(three[0], larger, three[2]).summary
    found = {test["metric"]: test for test in summary["differences"]}
    assert found["relative_norm"]["difference"] > 0 > found["update_sparsity"]["difference"]
    assert found["relative_norm"]["p"] == found["relative_norm"]["least_p"] == 0.5  # two layers
    assert found["relative_norm"]["low"] > 0
    assert {test["module"] for test in summary["modules"]} == {"q_proj", "down_proj"}


def test_differences_are_between_the_numbers_that_measure_prints(three):
    found = {test["metric"]: test for test in compare(*three).summary["differences"]}
    for side, checkpoint in zip("ab", three[1:], strict=True):
        (measured,) = measure(three[0], checkpoint).summary["checkpoints"]
        for metric in SHARED:
            entry = measured["metrics"][metric]
            expected = entry.get("weighted", entry["mean"])
            assert found[metric][side] == pytest.approx(expected, rel=1e-9)


def test_two_processes_give_the_same_bytes(tmp_path, three):
    compare(*three, out=tmp_path / "one")
    compare(*three, out=tmp_path / "two", workers=2)
    for name in ("pairs.parquet", "compare.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_an_interrupted_comparison_goes_on(tmp_path, three):
    units = []

    def stop_at_the_second(done, total, name):
        units.append(name)
        if len(units) == 3:
            raise KeyboardInterrupt(KILLED)

    with pytest.raises(KeyboardInterrupt, match=KILLED):
        compare(*three, out=tmp_path / "cut", on_progress=stop_at_the_second)
    assert not (tmp_path / "cut" / "compare.json").exists()
    assert len(list((tmp_path / "cut").glob("parts-*/*.arrow"))) == 2
    seen = []
    again = {"out": tmp_path / "cut", "on_progress": lambda done, total, name: seen.append(name)}
    compare(*three, **again)
    assert len([name for name in seen if name]) == 2  # of four
    compare(*three, out=tmp_path / "whole")
    for name in ("pairs.parquet", "compare.json"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_run_folders_stand_for_their_last_checkpoint(tmp_path, write_checkpoint, layered, three):
    base = layered(0)
    for step in (0, 9, 10):
        tensors = tuned(base, step) if step else base
        write_checkpoint(tmp_path / "run" / "checkpoints" / f"step_{step}", tensors)
    found = compare(three[0], tmp_path / "run", three[2]).summary
    assert found["a"]["path"].endswith("step_10")
    (warning,) = found["warnings"]
    assert "has not ended" in warning
    (tmp_path / "run" / "finished.json").write_text("{}")
    assert compare(three[0], tmp_path / "run", three[2]).summary["warnings"] == []
    (warning,) = compare(three[1], tmp_path / "run", three[2]).summary["warnings"]
    assert "step 0 holds other weights" in warning


def test_a_run_that_did_not_move(three):
    comparison = compare(three[0], three[0], three[2])
    assert any("identical to the base" in warning for warning in comparison.summary["warnings"])
    assert comparison.summary["whole"]["cosine"] is None
    assert all("no_update_a" in flags for flags in comparison.pairs["flags"])
    assert comparison.pairs["cosine"].isna().all()
    assert comparison.pairs["intruders_left_b"].notna().all()
    found = {test["metric"]: test for test in comparison.summary["differences"]}
    assert found["stable_rank"]["p"] is None
    assert found["update_sparsity"]["a"] == 1


def test_one_checkpoint_twice_is_told(three):
    summary = compare(three[0], three[1], three[1]).summary
    assert "A and B are the same checkpoint." in summary["warnings"]
    assert summary["whole"]["cosine"] == pytest.approx(1)
    assert all(test["difference"] == 0 for test in summary["differences"])


def refused(words, *arguments):
    done = hodograph("compare", *arguments)
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr


def test_bad_input_is_one_clear_message(tmp_path, three, write_checkpoint):
    out = ("--out", tmp_path / "c")
    refused(["no such file"], three[0], tmp_path / "no", three[2], *out)
    other = write_checkpoint(tmp_path / "other", {"model.layers.0.x.weight": torch.zeros(2, 2)})
    words = ["different parameters", "--unpaired skip"]
    refused(words, three[0], three[1], other, *out)
    (tmp_path / "empty" / "checkpoints" / "step_0").mkdir(parents=True)
    words = ["no checkpoint after step 0"]
    refused(words, three[0], tmp_path / "empty", three[2], *out)
    assert not (tmp_path / "c").exists()


def test_other_shapes_are_refused(tmp_path, three, write_checkpoint, layered):
    tensors = layered(3)
    tensors["model.layers.0.mlp.down_proj.weight"] = torch.zeros(3, 3)
    shaped = write_checkpoint(tmp_path / "shaped", tensors)
    out = ("--out", tmp_path / "c")
    refused(["(3, 3)"], three[0], three[1], shaped, *out)


def test_nan_is_refused_or_counted(tmp_path, three, write_checkpoint, layered):
    tensors = layered(1)
    tensors["model.layers.1.self_attn.q_proj.weight"][0, 0] = float("nan")
    broken = write_checkpoint(tmp_path / "broken", tensors)
    out = ("--out", tmp_path / "c")
    words = ["model.layers.1.self_attn.q_proj.weight", "broken", "--nonfinite skip"]
    refused(words, three[0], three[1], broken, *out)
    asked = {"out": tmp_path / "c", "nonfinite": "skip"}
    comparison = compare(three[0], three[1], broken, **asked)
    assert any("1 matrices hold NaN" in warning for warning in comparison.summary["warnings"])
    assert comparison.pairs["cosine"].notna().sum() == 3
    refused(["--nonfinite skip"], three[0], three[1], broken, *out)  # skipping is asked anew


def test_vectors_have_masks_and_directions_and_no_spectra(three):
    pairs = compare(*three, scope="all").pairs.set_index("parameter")
    norm = pairs.loc["model.norm.weight"]
    assert -1 <= norm["cosine"] <= 1
    assert norm["density_both"] <= norm["density_a"]
    assert pd.isna(norm["sim16_right"])
    assert pd.isna(norm["intruder_top"])
