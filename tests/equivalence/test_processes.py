"""A recipe trained by two processes, under DDP and FSDP2, is the recipe trained by one."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from hodograph.recipes import Recipe
from hodograph.training import train
from planted import fleet
from planted.ranks import in_processes

TOLERANCE = 1e-5  # of the update's norm: processes add gradients in another order, in float32
LOOSE = {"entropy": 3e-3}  # TRL's mean over micro-batches, which hold other completions
SHARDED = ("sft", "opd", "mix", "full_kl")
CASES = [("ddp", n) for n in (*SHARDED, "rlvr")] + [("fsdp2", n) for n in SHARDED]


class Trained(NamedTuple):
    """The same recipes by one process and by two."""

    one: Path
    two: Path
    recipes: dict[str, Recipe]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    out, models = (tmp_path_factory.mktemp(name) for name in ("out", "models"))
    fleet.plant(models)
    recipes = fleet.recipes(models)
    for name, recipe in recipes.items():
        train(recipe, out / "one" / name)
    in_processes(fleet.work, 2, out, models)
    return Trained(out / "one", out, recipes)


def update(run: Path, step: int) -> dict[str, Tensor]:
    first, last = (load_file(run / f"checkpoints/step_{n}/model.safetensors") for n in (0, step))
    return {name: last[name] - first[name] for name in first}


def flat(tensors: dict[str, Tensor]) -> Tensor:
    return torch.cat([tensors[name].flatten() for name in sorted(tensors)])


def metrics(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(("engine", "name"), CASES)
def test_updates_and_metrics_of_two_processes_are_those_of_one(
    trained: Trained, engine: str, name: str
) -> None:
    one, two = trained.one / name, trained.two / engine / name
    expected, found = flat(update(one, 3)), flat(update(two, 3))
    assert expected.norm() > 1e-4
    assert float((found - expected).norm() / expected.norm()) < TOLERANCE
    for ours, theirs in zip(metrics(two), metrics(one), strict=True):
        assert ours.keys() == theirs.keys()
        for key, value in ours.items():
            rel = LOOSE.get(key, 1e-5)
            assert value == pytest.approx(theirs[key], rel=rel, abs=1e-6), key


@pytest.mark.parametrize("engine", ["ddp", "fsdp2"])
def test_the_run_folder_is_written_once_and_tells_how_it_was_trained(
    trained: Trained, engine: str
) -> None:
    one, two = trained.one / "sft", trained.two / engine / "sft"
    assert _files(two) == _files(one)
    provenance = json.loads((two / "provenance.json").read_text())
    assert (provenance["processes"], provenance["parallel"]) == (2, engine)
    assert len(provenance["started"]) == 1
    for run in (one, two):
        assert len(json.loads((run / "evaluations.json").read_text())) == 1


def _files(run: Path) -> list[str]:
    return sorted(str(p.relative_to(run)) for p in run.rglob("*") if p.is_file())


@pytest.mark.parametrize("engine", ["ddp", "fsdp2"])
def test_a_gathered_checkpoint_of_the_first_weights_is_the_file_one_process_saves(
    trained: Trained, engine: str
) -> None:
    for name in ("sft", "opd"):  # with an adapter, merged, and beside it
        one, two = (
            folder / name / "checkpoints/step_0" for folder in (trained.one, trained.two / engine)
        )
        assert (two / "model.safetensors").read_bytes() == (one / "model.safetensors").read_bytes()
        assert (two / "config.json").read_bytes() == (one / "config.json").read_bytes()
    adapter = "adapter/adapter_model.safetensors"
    assert (two / adapter).read_bytes() == (one / adapter).read_bytes()


@pytest.mark.parametrize(("engine", "name"), [("ddp", "sampled"), ("fsdp2", "sft")])
def test_a_run_broken_off_and_resumed_ends_in_the_same_bytes(
    trained: Trained, engine: str, name: str
) -> None:
    unbroken = trained.two / engine / name
    resumed = trained.two / engine / f"{name}_resumed"
    for file in ("checkpoints/step_3/model.safetensors", "metrics.jsonl"):
        assert (resumed / file).read_bytes() == (unbroken / file).read_bytes()
    assert len(json.loads((resumed / "provenance.json").read_text())["started"]) == 2
    assert not (resumed / "state").exists()


@pytest.mark.parametrize("engine", ["ddp", "fsdp2"])
def test_answers_drawn_by_two_processes_fill_whole_groups_of_either_model(
    trained: Trained, engine: str
) -> None:
    lines = metrics(trained.two / engine / "sampled")
    assert {line["rollout/teacher"] for line in lines} <= {0, 0.25, 0.5, 0.75, 1}
    assert len({line["rollout/teacher"] for line in lines}) > 1
    assert sum(line["resampled"] for line in lines) > 0
    assert all(0 < line["selection/kept"] < 1 for line in lines)


def test_what_fails_on_one_process_is_said_by_all_and_leaves_no_folder(trained: Trained) -> None:
    said = [json.loads((trained.two / f"said_{rank}.json").read_text()) for rank in (0, 1)]
    assert said[0] == said[1]
    first = said[0]
    assert "nowhere is no model folder" in first["a model that one process cannot read"]
    assert "(3) do not divide over 2 processes" in first["prompts that do not divide"]
    assert first["what one process alone finds"] == "no room"
    assert "is sharded over processes" in first["a monitor of sharded weights"]
    assert "takes the weights out" in first["coordinates of sharded weights"]
    assert not (trained.two / "no").exists()
