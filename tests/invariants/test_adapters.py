"""Adapters go through the same trainers, and come out as PEFT and as merged weights."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel

from hodograph.errors import CheckpointError, SettingsError
from hodograph.recipes import LoraAdapter
from hodograph.training import TrainedRun, train
from hodograph.training.adapters.early import adapt
from hodograph.training.adapters.opening import add_lora
from hodograph.training.adapters.peft_extra import freeze_a
from hodograph.training.assembly import open_parts
from planted.runs import tiny_recipe

SFT, RANDOM = {"type": "sft"}, {"type": "rlvr", "reward": "random"}
RANK, SWITCH, STEPS = 3, 2, 5
PLAIN = {"steps": STEPS, "save": {"steps": [SWITCH]}, "optimizer": {"weight_decay": 0.1}}


def run_of(folder: Path, name: str, **changes: Any) -> TrainedRun:
    return train(tiny_recipe({**PLAIN, **changes}), folder / name)


def moved(run: TrainedRun) -> dict[str, torch.Tensor]:
    """The update from first to last checkpoint, where it is not zero."""
    first, last = (
        load_file(run.path / f"checkpoints/step_{step}/model.safetensors") for step in (0, STEPS)
    )
    return {name: last[name] - first[name] for name in first if (last[name] != first[name]).any()}


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> TrainedRun:
    """SFT of all weights."""
    return run_of(tmp_path_factory.mktemp("plain"), "run")


@pytest.fixture(scope="module")
def early(plain, tmp_path_factory) -> Path:
    """The plain run's early subspace at the switch."""
    out = tmp_path_factory.mktemp("early") / "adapter"
    adapter = adapt(plain.path, SWITCH, RANK, out)
    assert adapter.matrices == 7
    assert adapter.trained / RANK == sum([16, 8, 8, 16, 32, 32, 16])  # outputs
    assert 0.3 < adapter.update_energy < 1
    return out


def student_of(plain: TrainedRun) -> dict[str, Any]:
    return {"type": "path", "path": str(plain.path / f"checkpoints/step_{SWITCH}")}


@pytest.mark.parametrize(
    ("kind", "objective"),
    [
        ("frozen_a", {"type": "sft"}),
        ("frozen_a", RANDOM),
        ("lora", RANDOM),
        ("eva", {"type": "sft"}),
    ],
)
def test_the_saved_adapter_merged_by_peft_is_the_saved_checkpoint(
    tmp_path, plain, early, kind, objective
) -> None:
    lora = {"type": "lora", "rank": RANK, "init": "eva" if kind == "eva" else "random"}
    adapter = {"type": "frozen_a", "path": str(early)} if kind == "frozen_a" else lora
    student = student_of(plain)
    run = run_of(tmp_path, "run", student=student, adapter=adapter, objective=objective)
    start = json.loads((run.path / "provenance.json").read_text())["w0_hash"]
    digest = json.loads((early / "hodograph_adapter.json").read_text())["base_digest"]
    assert start == digest  # B = 0: the run starts from the very weights
    base = AutoModelForCausalLM.from_pretrained(student["path"])
    adapted = PeftModel.from_pretrained(base, str(run.final_checkpoint / "adapter"))
    merged = adapted.merge_and_unload().state_dict()
    saved = AutoModelForCausalLM.from_pretrained(run.final_checkpoint).state_dict()
    assert merged.keys() == saved.keys()
    assert all(torch.equal(merged[name], saved[name]) for name in merged)
    assert sorted(moved(run)) == sorted(n for n in merged if "_proj" in n)
    a = load_file(run.final_checkpoint / "adapter/adapter_model.safetensors")
    fixed = load_file(early / "adapter_model.safetensors")
    same = [torch.equal(a[name], fixed[name]) for name in a if "lora_A" in name]
    assert len(same) == 7
    assert all(same) == (kind == "frozen_a")


def test_a_fixed_a_is_adam_in_the_subspace(tmp_path, plain, early) -> None:
    """Two ways to one run: W_S + B Vᵀ as an adapter, and as a constraint on the weights."""
    student = student_of(plain)
    frozen = {"type": "frozen_a", "path": str(early)}
    basis = {"type": "run", "path": str(plain.path), "step": SWITCH, "rank": RANK}
    subspace = {"basis": basis, "mode": "adam_in_subspace", "without_basis": "frozen"}
    one = run_of(tmp_path, "adapter", student=student, adapter=frozen)
    two = run_of(tmp_path, "constraint", student=student, subspace=subspace)
    left, right = moved(one), moved(two)
    assert left.keys() == right.keys()
    for name, update in left.items():
        assert float((update - right[name]).norm()) <= 1e-3 * float(update.norm()), name


def test_another_student_and_another_folder_are_refused(tmp_path, plain, early) -> None:
    frozen = {"type": "frozen_a", "path": str(early)}
    other = {"type": "path", "path": str(plain.path)}
    with pytest.raises(SettingsError, match=r"was made for .*step_2"):
        run_of(tmp_path, "other", student=other, adapter=frozen)
    no_adapter = frozen | {"path": str(plain.path)}
    with pytest.raises(CheckpointError, match="not an adapter that `hodograph adapt` wrote"):
        run_of(tmp_path, "none", student=student_of(plain), adapter=no_adapter)
    assert not (tmp_path / "other").exists()


def test_what_cannot_be_adapted_is_refused(tmp_path, plain, early) -> None:
    with pytest.raises(CheckpointError, match=r"no checkpoint of step 4.*\n.*0, 2, 5"):
        adapt(plain.path, 4, RANK, tmp_path / "a")
    with pytest.raises(SettingsError, match="no early update"):
        adapt(plain.path, 0, RANK, tmp_path / "a")
    with pytest.raises(SettingsError, match="has 16 inputs only"):
        adapt(plain.path, SWITCH, 17, tmp_path / "a")
    with pytest.raises(SettingsError, match="is there already"):
        adapt(plain.path, SWITCH, RANK, early)
    with pytest.raises(CheckpointError, match="no run folder"):
        adapt(tmp_path, SWITCH, RANK, tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_random_lora_depends_on_the_seed_and_leaves_randomness_alone() -> None:
    parts = [open_parts(tiny_recipe()) for _ in range(3)]
    settings, before = LoraAdapter(type="lora", rank=RANK), torch.random.get_rng_state()
    models = [
        add_lora(p.model, settings, p.tokenizer, [], seed)
        for p, seed in zip(parts, (0, 0, 1), strict=True)
    ]
    assert torch.equal(torch.random.get_rng_state(), before)
    name = "model.layers.0.self_attn.q_proj.lora_A.default.weight"
    first, same, other = (model.get_parameter(name) for model in models)
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_weights_stored_inputs_first_are_adapted_on_their_input_side(tmp_path) -> None:
    """GPT-2's Conv1D: a planted direction of the inputs is A, and merging moves along it."""
    config = GPT2Config(n_embd=8, n_layer=1, n_head=2, n_positions=9)
    model = GPT2LMHeadModel(config)
    model.save_pretrained(tmp_path / "run/checkpoints/step_0")
    name = "transformer.h.0.mlp.c_proj"
    direction = torch.nn.functional.normalize(torch.randn(32), dim=0)
    weight = model.get_parameter(f"{name}.weight").requires_grad_(False)
    weight += torch.outer(direction, torch.randn(8))
    base = tmp_path / "run/checkpoints/step_3"
    model.save_pretrained(base)
    adapter = adapt(tmp_path / "run", 3, 1, tmp_path / "early")
    assert adapter.matrices == 1
    assert adapter.update_energy == pytest.approx(1, abs=1e-10)
    loaded = GPT2LMHeadModel.from_pretrained(base)
    adapted = PeftModel.from_pretrained(loaded, str(tmp_path / "early"), is_trainable=True)
    freeze_a(adapted)
    (trained,) = [p for p in adapted.parameters() if p.requires_grad]
    assert trained.shape == (8, 1)
    with torch.no_grad():
        trained.normal_()
    moved_NM = adapted.merge_and_unload().get_parameter(f"{name}.weight").detach() - weight
    inside = torch.outer(direction, direction @ moved_NM)
    assert float((moved_NM - inside).norm()) < 1e-5 * float(moved_NM.norm())
