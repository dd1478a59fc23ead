"""`hodograph place` on measurements that `hodograph measure` made."""

import json
import os
import subprocess
import sys

import pytest
import torch

from hodograph import measure, place
from hodograph.errors import SettingsError

SIZES = {"sft": 4e-3, "opd": 1e-3, "rlvr": 2.5e-4, "new": 1.1e-3}


def hodograph(*arguments):
    """Run a command as the shell would."""
    command = [sys.executable, "-c", "from hodograph.cli import main; main()"]
    command += [str(argument) for argument in arguments]
    environment = os.environ | {"COLUMNS": "120", "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)


@pytest.fixture(scope="module")
def arms(tmp_path_factory, write_checkpoint, layered):
    """Four runs of one W0 that differ in the size of their update."""
    folder = tmp_path_factory.mktemp("arms")
    base = layered(0)
    origin = write_checkpoint(folder / "base", base)
    generator = torch.Generator().manual_seed(0)
    found = {}
    for name, size in SIZES.items():
        moved = {n: w + torch.randn(w.shape, generator=generator) * size for n, w in base.items()}
        tuned = write_checkpoint(folder / name / "step_1", moved)
        measure(origin, tuned, out=folder / name / "measurement")
        found[name] = folder / name / "measurement"
    return found


def against(arms):
    return [f"{kind}={arms[kind]}" for kind in ("sft", "opd", "rlvr")]


def test_a_run_is_placed_by_the_nearest_kind(arms):
    placement = place(arms["new"], against(arms))
    assert placement.verdict.label == "OPD-like"
    record = placement.record()
    assert {arm["w0_digest"] for arm in record["arms"]} == {record["w0_digest"]}
    assert len(record["published"]) == 29
    assert all(row["difference"] is None for row in record["published"])  # of all weights
    assert "relative_norm" in record["without_published_anchors"]


def test_the_command_prints_the_rule_and_every_digest(arms, tmp_path):
    options = [item for one in against(arms) for item in ("--against", one)]
    done = hodograph("place", arms["new"], *options, "--out", tmp_path / "p.json")
    assert done.returncode == 0, done.stderr
    digest = json.loads((arms["new"] / "summary.json").read_text())["base"]["digest"]
    assert done.stdout.count(digest[:12]) == 4
    for words in ("verdict: OPD-like", "rule: Own arms", "scope all, here linear", "not published"):
        assert words in done.stdout
    record = json.loads((tmp_path / "p.json").read_text())
    assert record["verdict"] == "OPD-like"
    assert record["w0_digest"] == digest


def test_all_weights_are_held_against_published_numbers(tmp_path, write_checkpoint, layered):
    base = layered(0)
    origin = write_checkpoint(tmp_path / "base", base)
    moved = {name: weights * 1.5 for name, weights in base.items()}
    tuned = write_checkpoint(tmp_path / "step_1", moved)
    measure(origin, tuned, scope="all", out=tmp_path / "m")
    placement = place(tmp_path / "m")
    assert placement.verdict.label == "SFT-like"  # nothing stayed
    row = placement.record()["published"][0]
    assert row["difference"] == pytest.approx(
        placement.arm.values["update_sparsity"] - row["value"]
    )


def test_another_w0_is_shown_and_never_compared(arms, tmp_path, write_checkpoint, layered):
    origin = write_checkpoint(tmp_path / "base", layered(7))
    tuned = write_checkpoint(tmp_path / "step_1", layered(8))
    measure(origin, tuned, out=tmp_path / "m")
    placement = place(arms["new"], [*against(arms), f"opd={tmp_path / 'm'}"])
    other = placement.record()["arms"][-1]
    assert other["w0_digest"] != placement.arm.digest
    assert other["distance"] is None
    assert set(other["not_comparable"].values()) == {"another W0"}
    assert placement.verdict.label == "OPD-like"


def test_bad_input_is_one_clear_message(arms, tmp_path):
    done = hodograph("place", tmp_path)
    assert done.returncode == 2
    assert "no finished measurement" in done.stderr
    assert "Traceback" not in done.stderr
    with pytest.raises(SettingsError, match="the measurement that is to be placed"):
        place(arms["new"], [arms["new"]])
