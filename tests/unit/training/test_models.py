"""Students and teachers: where they come from and which are refused."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from hodograph.errors import CheckpointError, SettingsError
from hodograph.recipes import PathModel, Qwen3Model, Qwen3MoeModel
from hodograph.training import train
from hodograph.training.models import (
    open_model,
    open_tokenizer,
    require_shared_vocabulary,
    round_to_bf16,
)
from hodograph.training.saving import save_model
from planted.runs import STUDENT, tiny_recipe

SETTINGS = Qwen3Model.model_validate(STUDENT)
EXPERTS = Qwen3MoeModel.model_validate(
    {key: value for key, value in STUDENT.items() if key != "intermediate_size"}
    | {"type": "qwen3_moe", "experts": 4, "experts_per_token": 2, "moe_intermediate_size": 24}
)


def saved(folder: Path, dtype: str = "float32", seed: int = 0) -> PathModel:
    folder.mkdir()
    save_model(open_model(SETTINGS, seed), open_tokenizer(SETTINGS), folder, dtype)
    return PathModel(type="path", path=str(folder))


def test_random_weights_are_a_function_of_the_seed_and_touch_no_other_randomness() -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    one, same, other = (open_model(SETTINGS, seed).state_dict() for seed in (0, 0, 1))
    assert torch.equal(torch.rand(1), expected)
    name = "model.layers.0.self_attn.q_proj.weight"
    assert torch.equal(one[name], same[name])
    assert not torch.equal(one[name], other[name])
    assert one[name].std().item() == pytest.approx(0.08, rel=0.2)


def test_rounding_to_bf16_leaves_float32_tensors_on_the_bf16_grid() -> None:
    model = open_model(SETTINGS, 0)
    before = model.model.embed_tokens.weight.detach().clone()
    round_to_bf16(model)
    after = model.model.embed_tokens.weight.detach()
    assert after.dtype == torch.float32
    assert torch.equal(after, before.bfloat16().float())
    assert not torch.equal(after, before)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_saved_model_is_read_back_by_transformers_with_its_tokenizer(
    tmp_path: Path, dtype: str
) -> None:
    saved(tmp_path / "model", dtype)
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "model", dtype="auto")
    assert model.dtype == getattr(torch, dtype)
    original = open_model(SETTINGS, 0).state_dict()
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, original[name].to(model.dtype)), name
    assert model.lm_head.weight is model.model.embed_tokens.weight
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    assert tokenizer("7+5=2$")["input_ids"] == open_tokenizer(SETTINGS)("7+5=2$")["input_ids"]


def test_a_mixture_of_experts_is_saved_with_a_tensor_an_expert_and_read_back(
    tmp_path: Path,
) -> None:
    model = open_model(EXPERTS, 3)
    save_model(model, open_tokenizer(EXPERTS), tmp_path, "float32")
    stored = load_file(tmp_path / "model.safetensors")
    assert stored["model.layers.0.mlp.experts.3.down_proj.weight"].shape == (16, 24)
    assert "model.layers.0.mlp.experts.4.down_proj.weight" not in stored
    again = open_model(PathModel(type="path", path=str(tmp_path)), 0)
    for ours, theirs in zip(model.parameters(), again.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    scores = again.model.layers[0].mlp.gate(torch.randn(7, 16))[1]
    assert scores.shape == (7, 2)
    assert torch.allclose(scores.sum(dim=1), torch.ones(7))


def test_a_token_cannot_see_more_experts_than_there_are() -> None:
    with pytest.raises(ValidationError, match=r"experts_per_token \(5\) exceeds experts \(4\)"):
        Qwen3MoeModel.model_validate(EXPERTS.model_dump() | {"experts_per_token": 5})


def test_bf16_files_are_trained_from_as_float32_masters(tmp_path: Path) -> None:
    model = open_model(saved(tmp_path / "model", "bfloat16"), 0)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_a_path_may_be_a_finished_run_but_not_an_unfinished_one(tmp_path: Path) -> None:
    run = train(tiny_recipe({"steps": 1}), tmp_path / "run")
    by_run = open_model(PathModel(type="path", path=str(run.path)), 0)
    by_checkpoint = open_model(PathModel(type="path", path=str(run.final_checkpoint)), 0)
    for ours, theirs in zip(by_run.parameters(), by_checkpoint.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    (run.path / "finished.json").unlink()
    with pytest.raises(CheckpointError, match="is a run that has not finished"):
        open_model(PathModel(type="path", path=str(run.path)), 0)


def test_a_folder_that_holds_no_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="none is no model folder: it does not exist"):
        open_model(PathModel(type="path", path=str(tmp_path / "none")), 0)
    with pytest.raises(CheckpointError, match=r"is no model folder: it holds no config\.json"):
        open_model(PathModel(type="path", path=str(tmp_path)), 0)
    broken = saved(tmp_path / "broken")
    (tmp_path / "broken/model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="the model cannot be read"):
        open_model(broken, 0)


def test_a_teacher_of_another_vocabulary_is_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    teacher = saved(tmp_path / "teacher")
    path = tmp_path / "teacher/tokenizer.json"
    tokenizer = json.loads(path.read_text())
    vocabulary = tokenizer["model"]["vocab"]
    vocabulary["7"], vocabulary["8"] = vocabulary["8"], vocabulary["7"]
    path.write_text(json.dumps(tokenizer))
    recipe = tiny_recipe({"objective": {"type": "opd"}, "teacher": teacher.model_dump()})
    with pytest.raises(SettingsError, match="another vocabulary than the student") as caught:
        train(recipe, tmp_path / "run")
    assert "'7' is id 10 there and 9 here" in str(caught.value)
    assert not (tmp_path / "run").exists()
    require_shared_vocabulary(open_tokenizer(SETTINGS), open_tokenizer(SETTINGS), "same")


def edited(name: str, **changes: object) -> Callable[[Path], object]:
    def damage(folder: Path) -> None:
        content = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps(content | changes))

    return damage


def written(name: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(text)


def piped(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    os.mkfifo(folder / "model.safetensors")


def without_a_weight(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.0.self_attn.q_proj.weight"]
    save_file(weights, folder / "model.safetensors")


DEEP = "[" * 100_000 + "]" * 100_000
DAMAGES: dict[str, Callable[[Path], object]] = {
    "weights cut short": lambda folder: os.truncate(folder / "model.safetensors", 500),
    "weights overwritten": written("model.safetensors", "x" * 999),
    "weights gone": lambda folder: (folder / "model.safetensors").unlink(),
    "weights a pipe": piped,
    "a weight missing": without_a_weight,
    "configuration nested deeply": written("config.json", DEEP),
    "configuration a list": written("config.json", "[]"),
    "a size that is text": edited("config.json", hidden_size="x"),
    "another size": edited("config.json", hidden_size=20),
    "no heads": edited("config.json", num_attention_heads=0),
    "an unknown architecture": edited("config.json", model_type="nope"),
    "an unknown activation": edited("config.json", hidden_act="nope"),
    "tokenizer cut short": written("tokenizer.json", "{"),
    "tokenizer nested deeply": written("tokenizer.json", DEEP),
    "tokenizer a list": written("tokenizer.json", "[]"),
    "no tokenizer": lambda folder: (folder / "tokenizer.json").unlink(),
    "tokenizer's configuration a list": written("tokenizer_config.json", "[]"),
    "generation nested deeply": written("generation_config.json", DEEP),
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(saved(tmp_path_factory.mktemp("sound") / "model").path)


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_model_is_one_clear_error(sound, tmp_path, damage):
    folder = shutil.copytree(sound, tmp_path / "model")
    settings = PathModel(type="path", path=str(folder))
    open_model(settings, 0)
    damage(folder)

    def opened() -> None:
        open_tokenizer(settings)
        open_model(settings, 0)

    with pytest.raises(CheckpointError, match=str(folder)):
        opened()
