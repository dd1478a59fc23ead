"""Training on CUDA devices: one, several under DDP and FSDP2, and vLLM where it is installed."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from hodograph.training import train
from planted import fleet
from planted.runs import tiny_recipe

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.train,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]
several = pytest.mark.skipif(torch.cuda.device_count() < 2, reason="one CUDA device")
VLLM = {"generation": {"type": "vllm_colocate", "gpu_memory_utilization": 0.2}}


@pytest.fixture(autouse=True)
def one_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainer spreads the batch of one process over every device that it counts."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)


def metrics(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_every_recipe_trains_on_one_device(tmp_path: Path) -> None:
    fleet.plant(tmp_path)
    for name, recipe in fleet.recipes(tmp_path).items():
        run = train(recipe, tmp_path / name)
        assert run.steps == 3
        assert all(line["loss"] == line["loss"] for line in metrics(run.path))


@several
@pytest.mark.parametrize("engine", ["ddp", "fsdp2"])
def test_two_devices_train_what_one_trains(tmp_path: Path, engine: str) -> None:
    """bfloat16 autocast rounds sums of other orders, so the updates agree to percents."""
    fleet.plant(tmp_path)
    recipe = fleet.recipes(tmp_path)["sft"]
    one = train(recipe, tmp_path / "one").path
    (tmp_path / "recipe.json").write_text(json.dumps(recipe.as_json()))
    code = (
        "import json, sys; from pathlib import Path; from hodograph.recipes import parse_recipe;"
        "from hodograph.training import train;"
        "train(parse_recipe(json.load(open(sys.argv[1])), 'test'), Path(sys.argv[2]))"
    )
    (tmp_path / "work.py").write_text(code)
    config = ROOT / f"examples/accelerate/{engine}.yaml"
    command = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(config)]
    command += ["--main_process_port", "0"]
    command += [str(tmp_path / "work.py"), str(tmp_path / "recipe.json"), str(tmp_path / "two")]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    subprocess.run(command, env=environment, check=True, timeout=600)
    runs = [
        [load_file(run / f"checkpoints/step_{n}/model.safetensors") for n in (0, 3)]
        for run in (one, tmp_path / "two")
    ]
    for name in runs[0][0]:
        expected, found = (last[name] - first[name] for first, last in runs)
        assert float((found - expected).norm()) < 0.1 * float(expected.norm()) + 1e-6, name


@pytest.mark.skipif(find_spec("vllm") is None, reason="vLLM is not installed")
def test_vllm_samples_and_its_mismatch_is_logged(tmp_path: Path) -> None:
    run = train(tiny_recipe({"objective": {"type": "rlvr"}} | VLLM), tmp_path / "run")
    for line in metrics(run.path):
        assert 0 <= line["generation/logp_difference"] < 0.5
        assert line["completion/length"] > 0
