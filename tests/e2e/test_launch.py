"""`accelerate launch` as the guide says it, with two processes on the CPU."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DDP = ROOT / "examples/accelerate/ddp.yaml"
RECIPE = """
name = "tiny"
steps = 2
student = { type = "qwen3", hidden_size = 16, layers = 1, heads = 2, kv_heads = 1, head_dim = 8, \
intermediate_size = 32 }
objective = { type = "rlvr" }
task = { type = "chain" }
batch = { prompts = 4, group_size = 2 }
optimizer = { lr = 1e-3 }
sampling = { max_completion_length = 4 }
evaluation = { prompts = 4 }
"""


def launched(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(RECIPE)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src")}
    start = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(DDP)]
    start += ["--main_process_port", "0", "-m", "hodograph", "train", str(recipe)]
    return subprocess.run(
        [*start, "--out", str(tmp_path / "run"), *arguments],
        capture_output=True, text=True, env=environment, check=False, timeout=1200,
    )  # fmt: skip


@pytest.mark.train
def test_two_processes_train_one_run_and_one_of_them_talks(tmp_path: Path) -> None:
    done = launched(tmp_path)
    assert done.returncode == 0, done.stderr
    run = tmp_path / "run"
    assert done.stderr.count(f"2 steps; weights in {run}/checkpoints/step_2") == 1
    assert done.stderr.count("step 2: accuracy") == 1
    assert "Warning" not in done.stderr
    assert json.loads((run / "provenance.json").read_text())["processes"] == 2
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 2
    assert json.loads((run / "finished.json").read_text())["steps"] == 2


@pytest.mark.train
def test_an_error_is_said_once_and_every_process_ends_with_code_2(tmp_path: Path) -> None:
    done = launched(tmp_path, "--optimizer.lrr", "1")
    assert done.returncode == 1  # the launcher's own, when a process fails
    assert done.stderr.count("error: ") == 1
    assert "unknown key 'optimizer.lrr'" in done.stderr
    assert "exitcode  : 2" in done.stderr
    assert not (tmp_path / "run").exists()
