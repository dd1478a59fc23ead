"""The readable loop of examples/minimal_opd.py does what the library's trainer does."""

import copy
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from hodograph.training.assembly import build_trainer, open_parts
from hodograph.training.folder import RunFolder
from hodograph.training.models import open_tokenizer
from hodograph.training.saving import save_model
from planted.runs import tiny_recipe

STEPS = 5
TOLERANCE = 1e-3  # share of the displacement: Adam magnifies float32 rounding of small gradients


@pytest.fixture(scope="module")
def minimal() -> ModuleType:
    path = Path(__file__).parents[2] / "examples/minimal_opd.py"
    spec = importlib.util.spec_from_file_location("minimal_opd", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_several_steps_from_one_start_end_in_the_same_weights(
    minimal: ModuleType, tmp_path: Path
) -> None:
    torch.manual_seed(1)
    model = minimal.small_model(32, 2)
    recipe = tiny_recipe()
    tokenizer = open_tokenizer(recipe.student)
    for name in ("student", "teacher"):
        (tmp_path / name).mkdir()
        save_model(model, tokenizer, tmp_path / name, "float32")
        model = minimal.small_model(16, 1)
    opd = tiny_recipe(
        {
            "objective": {"type": "opd"},
            "student": {"type": "path", "path": str(tmp_path / "student")},
            "teacher": {"type": "path", "path": str(tmp_path / "teacher")},
            "steps": STEPS,
            "optimizer": {"lr": 1e-3},
            "sampling": {"max_completion_length": minimal.ANSWER_LENGTH},
        }
    )
    parts = open_parts(opd)
    student, teacher = copy.deepcopy(parts.model), copy.deepcopy(parts.teacher)
    trainer = build_trainer(opd, RunFolder(tmp_path / "run"), parts)
    batches: list[dict[str, Any]] = []
    prepare = trainer._prepare_inputs
    trainer._prepare_inputs = lambda inputs: batches.append(prepare(inputs)) or batches[-1]
    trainer.train()

    optimizer = torch.optim.AdamW(student.parameters(), lr=1e-3, betas=(0.9, 0.98), weight_decay=0)
    start = copy.deepcopy(student)
    for batch in batches:
        ids_BS = torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1)
        minimal.distill(student, teacher, optimizer, ids_BS, batch["prompt_ids"].size(1))
    assert len(batches) == STEPS
    moved, apart = (
        (flat(parts.model) - flat(start)).norm(),
        (flat(parts.model) - flat(student)).norm(),
    )
    assert float(moved) > 0.1
    assert float(apart / moved) < TOLERANCE


def flat(model: torch.nn.Module) -> torch.Tensor:
    return torch.cat([parameter.detach().double().flatten() for parameter in model.parameters()])


def test_its_sampler_draws_what_generate_draws(minimal: ModuleType) -> None:
    torch.manual_seed(4)
    model = minimal.small_model(32, 2).eval()
    prompts_BP, _, _ = minimal.problems(minimal.Random(0), 16)
    torch.manual_seed(8)
    ours_BS = minimal.sample(model, prompts_BP)
    torch.manual_seed(8)
    theirs_BS = model.generate(
        input_ids=prompts_BP, do_sample=True, max_new_tokens=minimal.ANSWER_LENGTH, top_k=0
    )
    assert torch.equal(ours_BS, theirs_BS)
    assert (ours_BS[:, 16:] == minimal.END).any()
