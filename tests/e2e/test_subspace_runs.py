"""`hodograph adapt` as a user runs it, and interventions that survive a kill to the byte."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch

from hodograph.cli import app
from hodograph.errors import CheckpointError, SettingsError
from hodograph.recipes import Recipe
from hodograph.training import train
from planted.runs import tiny_recipe, weights

SAVED = {"steps": 8, "save": {"steps": [2, 5]}, "optimizer": {"weight_decay": 0.1}}
OWN = {"at_step": 2, "basis": {"type": "own", "rank": 3}}
RECIPES: dict[str, dict[str, Any]] = {
    "adam_in_subspace": {"subspace": OWN | {"mode": "adam_in_subspace"}},
    "adapter": {"adapter": {"type": "lora", "rank": 3, "init": "eva", "examples": 8}},
    "update": {
        "objective": {"type": "rlvr", "reward": "random"},
        "subspace": OWN | {"mode": "update", "norm_matched": True},
    },
}
KILLED_AT = 7

CHILD = """
import json, os, signal, sys, torch
from pathlib import Path
torch.set_num_threads(1)
from hodograph.recipes import parse_recipe
from hodograph.training import train
def interrupt(step, steps):
    if step == int(sys.argv[3]):
        raise KeyboardInterrupt
def kill(step, steps):
    if step == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
recipes = json.loads(sys.argv[1])
for name, recipe in recipes.items():
    try:
        on_step = kill if name == list(recipes)[-1] else interrupt
        train(parse_recipe(recipe, "child"), Path(sys.argv[2]) / name, on_step=on_step)
    except KeyboardInterrupt:
        pass
"""


def recipe_of(name: str) -> Recipe:
    return tiny_recipe({**SAVED, **RECIPES[name]})


@pytest.fixture(scope="module")
def broken_off(tmp_path_factory) -> Path:
    """Runs broken off after their switch and past a checkpoint, the last one by SIGKILL."""
    out = tmp_path_factory.mktemp("broken_off")
    recipes = json.dumps({name: recipe_of(name).as_json() for name in RECIPES})
    command = [sys.executable, "-c", CHILD, recipes, str(out), str(KILLED_AT)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": "src"}
    done = subprocess.run(command, env=environment, check=False, timeout=600)
    assert done.returncode == -signal.SIGKILL
    return out


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_run_broken_off_goes_on_to_the_same_bytes(broken_off, tmp_path, name) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    recipe, resumed = recipe_of(name), []
    assert not (broken_off / name / "finished.json").exists()
    broken = train(recipe, broken_off / name, on_step=lambda step, _: resumed.append(step))
    assert resumed == [6, 7, 8]
    whole = train(recipe, tmp_path / "whole")
    torch.set_num_threads(threads)
    for step in (0, 2, 5, 8):
        folders = [run.path / f"checkpoints/step_{step}" for run in (broken, whole)]
        assert weights(folders[0]) == weights(folders[1]), step
    lines = [(run.path / "metrics.jsonl").read_text() for run in (broken, whole)]
    assert lines[0] == lines[1]
    assert ("subspace/update_energy" in lines[0].splitlines()[-1]) == (name != "adapter")


def run_command(*arguments: object) -> None:
    with suppress(SystemExit):  # how a command of cyclopts ends, well or not
        app(list(map(str, arguments)), exit_on_error=False)


def test_adapt_writes_an_adapter_says_what_trains_and_refuses_clearly(
    broken_off, tmp_path, capsys
) -> None:
    run, out = broken_off / "adam_in_subspace", tmp_path / "early"
    options = ["--at-step", 2, "--rank", 4, "--out", out]
    run_command("adapt", run, *options)
    said = capsys.readouterr().err
    assert "7 matrices; 512 of 2,304 numbers train (22.2%)" in said
    assert "of the early update's energy" in said
    assert sorted(path.name for path in out.iterdir()) == [
        "adapter_config.json", "adapter_model.safetensors", "hodograph_adapter.json",
    ]  # fmt: skip
    inputs = ["--at-step", 0, "--rank", 4, "--out", tmp_path / "inputs", "--basis", "inputs"]
    run_command("adapt", run, *inputs)
    assert "early update's energy" not in capsys.readouterr().err
    assert (tmp_path / "inputs/adapter_model.safetensors").exists()

    with pytest.raises(SettingsError, match="is there already: choose another --out"):
        run_command("adapt", run, *options)
    elsewhere = ["--at-step", 3, "--rank", 4, "--out", tmp_path / "other"]
    with pytest.raises(CheckpointError, match="no checkpoint of step 3"):
        run_command("adapt", run, *elsewhere)
    assert not (tmp_path / "other").exists()
