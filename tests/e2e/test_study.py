"""`hodograph study` as a user runs it: a whole small study, killed, repeated, with a broken arm."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

HODOGRAPH = str(Path(sys.executable).with_name("hodograph"))
STUDY = """
name = "tiny"
seeds = [0]
measure = { also_bf16 = true, permutations = 2, inputs = "run", lock = { share = 0.5 } }

[gates]
arms = ["coin"]
teacher = "base"
prompts = 2
samples = 2
draws = 1
checkpoints = [3]

[shared]
objective = { type = "sft" }
task = { type = "chain", max_terms = 4 }
sampling = { max_completion_length = 7 }

[arm]
steps = 3
student = { type = "path", path = "@base", round_to_bf16 = true }
batch = { prompts = 2, group_size = 2 }
optimizer = { lr = 1e-3 }
save = { steps = [1, 2, 3] }
evaluation = { prompts = 8, steps = [0] }

[stages.base]
steps = 2
batch = { prompts = 4 }
optimizer = { lr = 1e-3 }

[stages.base.student]
type = "qwen3"
hidden_size = 32
layers = 2
heads = 2
kv_heads = 1
head_dim = 16
intermediate_size = 48

[arms.sft]

[arms.coin]
objective = { type = "rlvr", reward = "random" }

[claims.C1]
claim = "sft below coin"
paper = "not in it"
parts = [{ type = "ordering", metric = "update_sparsity", arms = ["sft", "coin"] }]
"""
BROKEN_ARM = """
[arms.opd]
objective = { type = "opd" }
teacher = { type = "path", path = "nowhere" }
"""

pytestmark = pytest.mark.train


def study(file, out, workers=2):
    command = [HODOGRAPH, "study", str(file), "--out", str(out), "--workers", str(workers)]
    return subprocess.run(command, capture_output=True, text=True, timeout=500)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("study") / "study.toml"
    path.write_text(STUDY)
    return path


@pytest.fixture(scope="module")
def whole(file):
    out = file.parent / "whole"
    done = study(file, out)
    assert done.returncode == 0, done.stderr
    assert "report.html" in done.stdout
    assert "C1  undetermined (one seed) | sft " in done.stdout
    return out


def tables(out):
    return {arm: pq.read_table(out / "seed_0" / arm / "measurement" / "matrices.parquet")
            for arm in ("sft", "coin")}  # fmt: skip


def test_trains_measures_and_records_every_run(whole):
    recorded = json.loads((whole / "study.json").read_text())
    runs = {run["name"]: run for run in recorded["runs"]}
    assert list(runs) == ["base", "sft", "coin"]
    assert runs["base"]["measurement"] is None
    assert set(runs["base"]["accuracy"].values()) == {None}  # this stage is not evaluated
    assert runs["sft"]["w0_digest"] == runs["coin"]["w0_digest"] != runs["base"]["w0_digest"]
    assert runs["coin"]["accuracy"]["start"] == runs["sft"]["accuracy"]["start"]
    assert runs["sft"]["learning_rate_sum"] == pytest.approx(3e-3)
    summary = json.loads((whole / "seed_0" / "sft" / "measurement" / "summary.json").read_text())
    assert summary["base"]["digest"] == runs["sft"]["w0_digest"]
    assert [c["step"] for c in summary["checkpoints"]] == [1, 1, 2, 2, 3, 3]
    assert summary["lock"]["float32"]["thresholds"]["share"] == 0.5
    matrices = tables(whole)["sft"].to_pandas()
    assert matrices["kappa"].notna().all()
    assert "tiny" in (whole / "report.html").read_text()
    (origin,) = json.loads((whole / "orderings.json").read_text())["origins"]
    pairs = [pair for one in origin["orderings"] for pair in one["pairs"]]
    assert {(pair["word"], pair["why"]) for pair in pairs} == {("undetermined", "one shared seed")}
    assert all({pair["lower"], pair["higher"]} == {"sft", "coin"} for pair in pairs)


def test_claims_are_declared_judged_and_judged_anew_by_a_report(whole):
    (row,) = json.loads((whole / "ledger.json").read_text())
    assert (row["id"], row["verdict"], row["study"]) == ("C1", "undetermined (one seed)", "tiny")
    assert row["declared"] == "before measuring"
    assert row["ours"].startswith("sft ")
    assert "permuted update: sft " in row["null"]
    (whole / "ledger.json").unlink()
    command = [HODOGRAPH, "report", str(whole)]
    subprocess.run(command, check=True, capture_output=True, timeout=500)
    assert json.loads((whole / "ledger.json").read_text()) == [row]


def test_looks_at_the_inputs_of_each_runs_own_prompts(whole):
    for arm, kind in (("sft", "demonstrations"), ("coin", "rollouts")):
        summary = json.loads((whole / "seed_0" / arm / "measurement" / "summary.json").read_text())
        assert (summary["inputs"]["kind"], summary["inputs"]["without"]) == (kind, {})
        assert 0 < summary["inputs"]["tokens"] <= 4096
        rows = tables(whole)[arm].to_pandas()
        assert (rows["input_energy16"].notna() == (rows["update_norm"] > 0)).all()
        assert rows["input_energy16"].notna().any()


def test_measures_the_gates_of_the_arms_named(whole):
    runs = {run["name"]: run for run in json.loads((whole / "study.json").read_text())["runs"]}
    assert (runs["coin"]["gates"], runs["sft"]["gates"]) == ("seed_0/coin/gates", None)
    found = json.loads((whole / runs["coin"]["gates"] / "gates.json").read_text())
    assert [one["step"] for one in found["steps"]] == [3]
    assert found["gates"]["I"]["kl_to_anchor"]["value"] > 0
    assert found["gates"]["II"]["effective_rank_per_token"]["value"] >= 1  # the base teaches


def test_running_again_trains_nothing(whole, file):
    tables = (path for path in whole.rglob("*.parquet") if path.parent.name != "tables")
    files = [*whole.rglob("*.safetensors"), *tables]  # tables/ belongs to the page, made anew
    before = {path: path.stat().st_mtime_ns for path in files}
    assert study(file, whole).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before


def descendants(pid):
    listed = subprocess.run(["ps", "-eo", "pid,ppid"], capture_output=True, text=True, check=True)
    parents = dict(map(int, line.split()) for line in listed.stdout.splitlines()[1:])
    found, frontier = set(), {pid}
    while frontier:
        frontier = {child for child, parent in parents.items() if parent in frontier}
        found |= frontier
    return found


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_killed_and_run_again_with_one_worker_gives_the_same_numbers(whole, file):
    out = file.parent / "killed"
    command = [HODOGRAPH, "study", str(file), "--out", str(out), "--workers", "2"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    base = out / "seed_0" / "base" / "finished.json"
    while not base.exists() and process.poll() is None:
        time.sleep(0.05)
    workers = descendants(process.pid)
    assert workers
    process.send_signal(signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 20
    while any(map(alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(alive, workers)), "a killed study leaves no worker behind"
    assert not (out / "study.json").exists()
    done = study(file, out, workers=1)
    assert done.returncode == 0, done.stderr
    for arm, table in tables(whole).items():
        assert table.equals(tables(out)[arm])


def test_a_broken_arm_is_said_and_the_others_are_kept(whole, file):
    broken = file.with_name("broken.toml")
    broken.write_text(STUDY + BROKEN_ARM)
    done = study(broken, whole)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "train seed_0/opd" in done.stderr
    assert "nowhere" in done.stderr
    recorded = json.loads((whole / "study.json").read_text())
    assert [run["name"] for run in recorded["runs"]] == ["base", "sft", "coin"]
    assert set(recorded["failures"]) == {"train seed_0/opd", "measure seed_0/opd"}
    assert "nowhere" in (whole / "report.html").read_text()


def test_bad_studies_end_with_one_clear_message(tmp_path):
    done = study(tmp_path / "no.toml", tmp_path / "out")
    assert done.returncode == 2
    assert "no.toml" in done.stderr
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(STUDY.replace("steps = 3", 'steps = "three"'))
    done = study(wrong, tmp_path / "out")
    assert done.returncode == 2
    assert "wrong.toml [arms.sft]: steps" in done.stderr
    assert "Traceback" not in done.stderr
    wrong.write_text(STUDY.replace("share = 0.5", "share = 5"))
    done = study(wrong, tmp_path / "out")
    assert (done.returncode, "lock.share is 5" in done.stderr) == (2, True)
    done = study(wrong, tmp_path / "out", workers=0)
    assert "--workers 0" in done.stderr
