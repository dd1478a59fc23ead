"""The subspace constraint in real trainers: what it changes, and what it does not."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import TrainerCallback

from accelerate import DistributedType
from hodograph.errors import SettingsError
from hodograph.recipes import RandomBasis
from hodograph.training import TrainedRun, train
from hodograph.training.assembly import build_trainer, open_parts
from hodograph.training.folder import RunFolder
from hodograph.training.interventions.subspace.basis import (
    confinable,
    open_source,
    right_subspace,
)
from hodograph.training.interventions.subspace.refusals import require_plain_gradients
from planted.runs import tiny_recipe, weights

RANDOM = {"type": "rlvr", "reward": "random"}
RANK, SWITCH, STEPS = 3, 2, 5
OWN = {"type": "own", "rank": RANK}
PLAIN = {
    "steps": STEPS,
    "save": {"steps": [SWITCH]},
    "optimizer": {"weight_decay": 0.1, "max_grad_norm": 0.1},
}


def run_of(folder: Path, name: str, **changes: Any) -> TrainedRun:
    return train(tiny_recipe({**PLAIN, **changes}), folder / name)


def tensors(run: TrainedRun, step: int) -> dict[str, Tensor]:
    return load_file(run.path / f"checkpoints/step_{step}/model.safetensors")


def metrics(run: TrainedRun) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("objective", [{"type": "sft"}, RANDOM])
def test_until_the_switch_it_is_the_plain_run_and_then_it_stays_inside(tmp_path, objective) -> None:
    """Judged from the checkpoints alone, in both trainers, with two micro-batches a step."""
    both = {"objective": objective, "batch": {"accumulation": 2}}
    subspace = {"at_step": SWITCH, "basis": OWN, "mode": "update"}
    constrained = run_of(tmp_path, "constrained", subspace=subspace, **both)
    free = run_of(tmp_path, "free", **both)
    step = f"checkpoints/step_{SWITCH}"
    assert weights(constrained.path / step) == weights(free.path / step)
    assert metrics(constrained)[:SWITCH] == metrics(free)[:SWITCH]
    first, switch, last = (tensors(constrained, step) for step in (0, SWITCH, STEPS))
    report = json.loads((constrained.path / "subspace.json").read_text())
    assert len(report["matrices"]) == 7
    outside, energy = 0.0, 0.0
    for name in report["matrices"]:
        v_NK = right_subspace((switch[name] - first[name]).double(), RANK)
        update = (last[name] - switch[name]).double()
        outside += float((update - update @ v_NK @ v_NK.T).square().sum())
        energy += float(update.square().sum())
    assert outside / energy < 1e-10
    line = metrics(constrained)[-1]
    assert line["subspace/displacement"] == pytest.approx(energy**0.5, rel=1e-5)
    assert line["subspace/update_energy"] == pytest.approx(1, abs=1e-10)
    assert 0 < line["subspace/gradient_energy"] < 1
    norm = "model.norm.weight"
    assert norm in report["parameters_without_basis"]
    assert not torch.equal(last[norm], switch[norm])  # untouched by the constraint: it trains


class Gradients(TrainerCallback):
    """Keeps the first gradient that the optimizer would use."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.model = model
        self.kept: dict[str, Tensor] = {}

    def on_pre_optimizer_step(self, *_: Any, **__: Any) -> None:
        if not self.kept:
            self.kept = {n: p.grad.clone() for n, p in self.model.named_parameters()}


@pytest.mark.parametrize("objective", [{"type": "sft"}, RANDOM])
def test_the_gradient_is_the_plain_one_projected(tmp_path, objective) -> None:
    """After accumulation and before clipping, which then scales it to the norm allowed."""
    clip = 1e-2
    common = {"objective": objective, "steps": 1, "batch": {"accumulation": 2}}
    found: dict[str, dict[str, Tensor]] = {}
    for name, subspace in (("plain", None), ("projected", {"basis": {"type": "random"}})):
        if subspace:
            subspace["basis"]["rank"] = RANK
        allowed = clip if subspace else 0
        recipe = tiny_recipe(
            {**common, "subspace": subspace, "optimizer": {"max_grad_norm": allowed}}
        )
        parts = open_parts(recipe)
        folder = RunFolder(tmp_path / name)
        trainer = build_trainer(recipe, folder, parts)
        gradients = Gradients(parts.model)
        trainer.add_callback(gradients)
        trainer.train()
        found[name] = gradients.kept
    bases = bases_of(tmp_path / "projected", parts.model)
    expected = {
        name: gradient @ bases[name] @ bases[name].T if name in bases else gradient
        for name, gradient in found["plain"].items()
    }
    total = torch.stack([g.double().square().sum() for g in expected.values()]).sum().sqrt()
    for name, gradient in expected.items():
        assert torch.allclose(found["projected"][name], gradient * clip / total, atol=2e-7), name


def bases_of(folder: Path, model: torch.nn.Module) -> dict[str, Tensor]:
    """The random bases, drawn again."""
    assert (folder / "subspace.json").exists()
    weights = confinable(model, "linear")
    source = open_source(RandomBasis(type="random", rank=RANK), weights)
    return {name: v_NK.float() for name, v_NK in source(weights).items()}


def test_parameters_without_a_basis_are_frozen_when_asked_and_matrices_with_none(tmp_path) -> None:
    frozen = {"basis": {"type": "inputs", "rank": RANK, "examples": 8}, "without_basis": "frozen"}
    run = run_of(tmp_path, "frozen", subspace=frozen | {"mode": "adam_in_subspace"})
    moved = changed(run)
    assert set(moved) == set(json.loads((run.path / "subspace.json").read_text())["matrices"])
    none = run_of(tmp_path, "none", subspace={"basis": {"type": "none"}}, objective=RANDOM)
    assert [name for name in changed(none) if "proj" in name] == []
    assert "model.norm.weight" in changed(none)
    assert metrics(none)[-1]["subspace/displacement"] == 0
    assert metrics(none)[-1]["subspace/gradient_energy"] == 0


def changed(run: TrainedRun) -> list[str]:
    first, last = tensors(run, 0), tensors(run, STEPS)
    return [name for name in first if not torch.equal(first[name], last[name])]


def test_an_update_that_is_zero_names_no_subspace(tmp_path) -> None:
    still = {"optimizer": {"lr": 1e-3, "schedule": {"type": "constant", "warmup_steps": 3}}}
    subspace = {"at_step": 1, "basis": OWN}  # the first step of a warm-up has learning rate 0
    with pytest.raises(SettingsError, match="Take it from a later step"):
        run_of(tmp_path, "still", subspace=subspace, **still)


def test_deepspeed_is_refused_with_the_reason(tmp_path) -> None:
    """The engine itself is not installed; what a trainer under it says of itself is set."""
    recipe = tiny_recipe()
    trainer = build_trainer(recipe, RunFolder(tmp_path), open_parts(recipe))
    trainer.accelerator.state.distributed_type = DistributedType.DEEPSPEED
    try:
        with pytest.raises(SettingsError, match="DeepSpeed keeps gradients in flat buffers"):
            require_plain_gradients(trainer)
    finally:
        trainer.accelerator.state.distributed_type = DistributedType.NO
