"""vLLM's log-probabilities against the trainer's: measured, told, and applied only if asked.

vLLM itself is not installed where these tests run. What TRL is given by it is planted: answers,
and log-probabilities that are off by a known amount. tests/gpu runs the engine.
"""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from trl.trainer import grpo_trainer

from hodograph.errors import SettingsError
from hodograph.training import train
from hodograph.training.assembly import open_parts
from planted.runs import tiny_recipe

OFF = 0.125  # in nats: what the planted engine's log-probabilities lack
RLVR = {
    "steps": 1,
    "objective": {"type": "rlvr", "reward": "random"},
    "optimizer": {"lr": 1e3, "eps": 1e3, "max_grad_norm": 0.0},  # the step is the gradient
}
ANSWERS = ([5, 6, 7], [8, 5, 4], [7, 7, 9])  # of three tokens each


class Engine:
    """Gives the answers in turn, and understates the model's log-probabilities by `OFF`."""

    def __init__(self, model: Any, **_: Any) -> None:
        self.model = model

    def sync_weights(self) -> None:
        """The model is the trainer's own."""

    @torch.no_grad()
    def generate(self, prompts: list[list[int]], **_: Any) -> tuple[Any, ...]:
        """Return what TRL's VLLMGeneration does."""
        answers = [ANSWERS[row % 3] for row in range(len(prompts))]
        return prompts, answers, list(map(self._logps, prompts, answers)), None

    def _logps(self, prompt: list[int], answer: list[int]) -> list[list[float]]:
        logits_TV = self.model(torch.tensor([prompt + answer])).logits[0, -4:-1]
        logps_T = logits_TV.log_softmax(-1)[range(3), answer]
        return [[float(logp) - OFF] for logp in logps_T]


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grpo_trainer, "VLLMGeneration", Engine)
    monkeypatch.setattr("hodograph.training.generation.find_spec", lambda name: name)


def trained(out: Path, **generation: Any) -> tuple[Tensor, dict[str, float], dict[str, Any]]:
    """The update, the metrics of the step and the account."""
    train(tiny_recipe(RLVR | {"generation": {"type": "vllm_colocate"} | generation}), out)
    ends = [load_file(out / f"checkpoints/step_{n}/model.safetensors") for n in (0, 1)]
    update = torch.cat([(ends[1][name] - ends[0][name]).flatten() for name in ends[0]])
    line = json.loads((out / "metrics.jsonl").read_text())
    account = json.loads((out / "provenance.json").read_text())["training"]
    return update, line, account


@pytest.mark.usefixtures("engine")
def test_the_mismatch_is_measured_and_the_correction_is_what_the_recipe_says(
    tmp_path: Path,
) -> None:
    kept, line, account = trained(tmp_path / "kept", correction="token_truncate")
    assert line["generation/logp_difference"] == pytest.approx(OFF, abs=1e-5)
    assert line["generation/logp_difference_max"] == pytest.approx(OFF, abs=1e-5)
    assert line["generation/ratio"] == pytest.approx(math.exp(OFF), abs=1e-5)
    assert account["generation"]["correction"] == "token_truncate"

    none, line, account = trained(tmp_path / "none", correction="none")
    assert line["generation/logp_difference"] == pytest.approx(OFF, abs=1e-5)
    assert account["generation"]["correction"] == "none"
    masked, line, _ = trained(tmp_path / "masked", correction_max=1.0)
    assert line["generation/ratio"] == 0  # all completions are above it, so nothing is learnt
    assert not masked.any()
    assert none.norm() > 1e-3
    assert float((kept - math.exp(OFF) * none).norm() / none.norm()) < 1e-3


def test_a_missing_vllm_is_one_line(tmp_path: Path) -> None:
    recipe = tiny_recipe(RLVR | {"generation": {"type": "vllm_server", "url": "http://x:8000"}})
    with pytest.raises(SettingsError, match=r"needs vLLM: pip install 'hodograph\[vllm\]'"):
        open_parts(recipe)
