"""Training on CUDA devices: one, several under DDP and FSDP2, and vLLM where it is installed."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from math import isfinite
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from hodograph.recipes import Recipe
from planted import fleet
from planted.runs import tiny_recipe

ROOT = Path(__file__).parents[2]
WORKER = ROOT / "tests/planted/worker.py"
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.train,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]
several = pytest.mark.skipif(torch.cuda.device_count() < 2, reason="one CUDA device")
VLLM = {"generation": {"type": "vllm_colocate", "gpu_memory_utilization": 0.2}}
HEADS = {"hidden_size": 64, "heads": 2, "kv_heads": 1, "head_dim": 64}  # that vLLM's kernels take


def first_device() -> dict[str, str]:
    """An environment with one CUDA device: training refuses several for one process."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "0")
    return {"CUDA_VISIBLE_DEVICES": visible.partition(",")[0]}


def trained(
    recipe: Recipe, out: Path, *launcher: str, environment: dict[str, str] | None = None
) -> Path:
    """Train a recipe in processes of its own; on the first device unless a launcher is given."""
    described = out.with_suffix(".json")
    described.write_text(json.dumps(recipe.as_json()))
    paths = os.pathsep.join((str(ROOT / "src"), str(ROOT / "tests")))
    done = subprocess.run(
        [sys.executable, *launcher, str(WORKER), str(described), str(out)],
        env=os.environ | {"PYTHONPATH": paths} | (environment or first_device()),
        capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A teacher, and answers to the prompts of the fleet's recipes."""
    folder = tmp_path_factory.mktemp("models")
    trained(fleet.teacher(), folder / "teacher")
    fleet.write_answers(folder)
    return folder


def metrics(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("name", ["sft", "opd", "rlvr", "mix", "full_kl"])
def test_a_recipe_trains_on_one_device(models: Path, tmp_path: Path, name: str) -> None:
    run = trained(fleet.recipes(models)[name], tmp_path / name)
    assert json.loads((run / "finished.json").read_text())["steps"] == 3
    assert all(isfinite(line["loss"]) for line in metrics(run))


@several
@pytest.mark.parametrize("engine", ["ddp", "fsdp2"])
def test_two_devices_train_what_one_trains(models: Path, tmp_path: Path, engine: str) -> None:
    """bfloat16 rounds sums of other orders, so the updates agree to percents."""
    recipe = fleet.recipes(models)["full_kl"]
    one = trained(recipe, tmp_path / "one")
    config = str(ROOT / f"examples/accelerate/{engine}.yaml")
    launch = ("-m", "accelerate.commands.launch", "--config_file", config)
    two = trained(recipe, tmp_path / "two", *launch, environment={"OMP_NUM_THREADS": "1"})
    assert json.loads((two / "provenance.json").read_text())["parallel"] == engine
    expected, found = (update(run) for run in (one, two))
    assert float((found - expected).norm()) < 0.1 * float(expected.norm())


def update(run: Path) -> Tensor:
    """What three steps added to all weights."""
    first, last = (load_file(run / f"checkpoints/step_{n}/model.safetensors") for n in (0, 3))
    return torch.cat([(last[name] - first[name]).flatten() for name in sorted(first)])


@pytest.mark.skipif(find_spec("vllm") is None, reason="vLLM is not installed")
def test_vllm_samples_and_its_mismatch_is_logged(tmp_path: Path) -> None:
    """The engine starts from the student's folder, so random weights are saved first."""
    student = trained(tiny_recipe({"student": HEADS, "steps": 1}), tmp_path / "student")
    stored = {"student": {"type": "path", "path": str(student)}, "objective": {"type": "rlvr"}}
    run = trained(tiny_recipe(stored | VLLM), tmp_path / "run")
    for line in metrics(run):
        assert 0 <= line["generation/logp_difference"] < 0.5
        assert line["completion/length"] > 0
