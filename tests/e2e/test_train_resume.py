"""Runs are reproducible to the byte, and a killed one ends where an unbroken one does."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from hodograph.errors import SettingsError
from hodograph.recipes import Recipe
from hodograph.training import train
from planted.runs import tiny_recipe, weights

SFT = {"steps": 9, "save": {"steps": [3, 6]}, "optimizer": {"weight_decay": 0.1}}
RLVR = {
    **SFT,
    "objective": {"type": "rlvr", "reward": "random"},
    "evaluation": {"prompts": 4, "steps": [0, 3, 5]},
}

CHILD = """
import os, signal, sys, json, time
import torch
from pathlib import Path
torch.set_num_threads(1)
from hodograph.recipes import parse_recipe
from hodograph.training import train
recipe = parse_recipe(json.loads(sys.argv[1]), "child")
def on_step(step, steps):
    if step == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(float(sys.argv[4]))
train(recipe, Path(sys.argv[2]), on_step=on_step)
"""


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def child(recipe: Recipe, out: Path, kill_at: int, pause: float) -> subprocess.Popen:
    arguments = [json.dumps(recipe.as_json()), str(out), str(kill_at), str(pause)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": "src"}
    return subprocess.Popen([sys.executable, "-c", CHILD, *arguments], env=environment)


def assert_same_run(left: Path, right: Path) -> None:
    """Every checkpoint, metric and accuracy is the same to the byte."""
    names = sorted(path.name for path in (left / "checkpoints").iterdir())
    assert names == sorted(path.name for path in (right / "checkpoints").iterdir())
    for name in names:
        assert weights(left / "checkpoints" / name) == weights(right / "checkpoints" / name)
        steps = [(run / "checkpoints" / name / "hodograph_step.json") for run in (left, right)]
        assert steps[0].read_bytes() == steps[1].read_bytes()
    assert (left / "metrics.jsonl").read_bytes() == (right / "metrics.jsonl").read_bytes()
    if (left / "evaluations.json").exists():
        both = [(run / "evaluations.json").read_bytes() for run in (left, right)]
        assert both[0] == both[1]


def test_a_run_killed_between_checkpoints_resumes_to_the_same_bytes(tmp_path: Path) -> None:
    recipe = tiny_recipe(SFT)
    killed = child(recipe, tmp_path / "killed", kill_at=5, pause=0.0)
    assert killed.wait(timeout=120) == -signal.SIGKILL
    assert not (tmp_path / "killed/finished.json").exists()
    assert (tmp_path / "killed/checkpoints/step_3").is_dir()

    resumed: list[int] = []
    train(recipe, tmp_path / "killed", on_step=lambda step, _: resumed.append(step))
    assert resumed == [4, 5, 6, 7, 8, 9]
    train(recipe, tmp_path / "whole")
    assert_same_run(tmp_path / "killed", tmp_path / "whole")


def test_a_sampling_run_killed_from_outside_resumes_to_the_same_bytes(tmp_path: Path) -> None:
    recipe, out = tiny_recipe(RLVR), tmp_path / "killed"
    process = child(recipe, out, kill_at=-1, pause=0.05)
    while not (out / "checkpoints/step_6").exists() and process.poll() is None:
        time.sleep(0.002)  # the state that belongs to step_6 is written after it, or half written
    process.kill()
    assert process.wait(timeout=60) == -signal.SIGKILL
    assert not (out / "finished.json").exists()

    train(recipe, out)
    train(recipe, tmp_path / "whole")
    assert_same_run(out, tmp_path / "whole")
    lines = (out / "metrics.jsonl").read_text().splitlines()
    steps = [json.loads(line)["step"] for line in lines]
    assert steps == list(range(1, 10))
    assert [e["step"] for e in json.loads((out / "evaluations.json").read_text())] == [0, 3, 5, 9]


def test_a_finished_run_returns_at_once_and_another_recipe_is_refused(tmp_path: Path) -> None:
    recipe = tiny_recipe({"steps": 1})
    first = train(recipe, tmp_path / "run")
    steps: list[int] = []
    again = train(recipe, tmp_path / "run", on_step=lambda step, _: steps.append(step))
    assert again == first
    assert steps == []
    assert first.final_checkpoint == tmp_path / "run/checkpoints/step_1"

    with pytest.raises(SettingsError, match=r"run of another recipe: 'optimizer\.lr' differs"):
        train(tiny_recipe({"steps": 1, "optimizer": {"lr": 1.0}}), tmp_path / "run")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/notes.txt").write_text("mine")
    with pytest.raises(SettingsError, match="not empty and holds no run"):
        train(recipe, tmp_path / "other")
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["notes.txt"]
