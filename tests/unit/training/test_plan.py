"""A training plan against counts that are known, or written out by hand."""

from pathlib import Path
from typing import Any

import pytest
from transformers import Qwen3Config

from hodograph.errors import CheckpointError
from hodograph.recipes import parse_recipe
from hodograph.tasks.alphabet import chain_tokenizer
from hodograph.training.plan import plan_training
from planted.runs import STUDENT, tiny_recipe

PROMPT, COMPLETION = 16, 14
QWEN3_0_6B = {
    "vocab_size": 151936, "hidden_size": 1024, "num_hidden_layers": 28, "num_attention_heads": 16,
    "num_key_value_heads": 8, "head_dim": 128, "intermediate_size": 3072,
    "tie_word_embeddings": True,
}  # fmt: skip


def without_weights(folder: Path, config: dict[str, Any]) -> dict[str, Any]:
    """A model folder with a configuration and a tokenizer, and no weight."""
    Qwen3Config(**config).save_pretrained(folder)
    chain_tokenizer().save_pretrained(folder)
    return {"type": "path", "path": str(folder)}


def opd(student: dict[str, Any], teacher: dict[str, Any], rollout: Any = None, **batch: int) -> Any:
    tree = {
        "name": "planned", "steps": 10, "student": student, "teacher": teacher,
        "objective": {"type": "opd"}, "task": {"type": "chain"}, "optimizer": {"lr": 1e-6},
        "batch": {"prompts": 2, "group_size": 2} | batch,
        "sampling": {"max_completion_length": COMPLETION},
        "rollout": rollout or {"type": "student"},
    }  # fmt: skip
    return parse_recipe(tree, "the test")


def test_a_published_model_has_its_published_number_of_parameters(tmp_path: Path) -> None:
    model = without_weights(tmp_path / "student", QWEN3_0_6B)
    plan = plan_training(opd(model, model, prompts=1))
    assert plan.student == plan.teacher == 596_049_920  # as its model page and files say
    assert plan.memory["weights, float32"] == 4 * plan.student
    assert plan.memory["Adam's moments, float32"] == 8 * plan.student


def test_operations_and_cache_are_those_written_out_by_hand(tmp_path: Path) -> None:
    config = QWEN3_0_6B | {
        "vocab_size": 24, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 16, "intermediate_size": 48,
    }  # fmt: skip
    model = without_weights(tmp_path / "student", config)
    plan = plan_training(opd(model, model))
    tokens, length = 4 * (PROMPT + COMPLETION), PROMPT + COMPLETION
    layer = 32 * 64 * 2 + 32 * 32 * 2 + 3 * 32 * 48
    attention = 3 * 4 * (2 * 2 * length * length * 4 * 16)
    forward = 2 * tokens * (3 * layer + 32 * 24) + attention
    assert (plan.prompt, plan.completion) == (PROMPT, COMPLETION)
    assert plan.flops["sampling"] == plan.flops["scoring by the teacher"] == forward
    assert plan.flops["training"] == 3 * forward
    assert plan.memory["cache of sampling"] == 2 * 3 * 2 * 16 * tokens * 4
    assert plan.seconds > 0


def test_a_teacher_that_answers_does_the_sampling(tmp_path: Path) -> None:
    large = {"vocab_size": 24, "num_hidden_layers": 2}
    small = without_weights(tmp_path / "student", QWEN3_0_6B | large | {"hidden_size": 32})
    teacher = without_weights(tmp_path / "teacher", QWEN3_0_6B | large | {"hidden_size": 64})
    plan = plan_training(opd(small, teacher, rollout={"type": "teacher"}))
    assert plan.flops["sampling"] == plan.flops["scoring by the teacher"]
    assert plan.flops["sampling"] > plan.flops["training"] / 3


def test_of_a_mixture_of_experts_each_token_meets_as_many_as_it_sees() -> None:
    shared = {"hidden_size": 32, "layers": 3, "heads": 4, "kv_heads": 2, "head_dim": 16}
    dense = STUDENT | shared | {"intermediate_size": 2 * 48}
    experts = {"type": "qwen3_moe", "experts": 8, "experts_per_token": 2}
    experts |= shared | {"moe_intermediate_size": 48}
    one = plan_training(tiny_recipe({"student": dense}))
    other = plan_training(tiny_recipe({"student": experts}))
    tokens = 8 * (one.prompt + one.completion)
    router = 3 * (2 * tokens * 32 * 8)
    assert other.flops["training"] == one.flops["training"] + 3 * router
    assert other.student == one.student + 3 * (6 * 3 * 32 * 48 + 32 * 8)


def test_micro_batches_divide_the_activations_and_not_the_work(tmp_path: Path) -> None:
    model = without_weights(tmp_path / "student", QWEN3_0_6B | {"num_hidden_layers": 1})
    whole, split = (plan_training(opd(model, model, accumulation=n)) for n in (1, 4))
    kept = "activations of a micro-batch"
    assert split.memory[kept] == pytest.approx(whole.memory[kept] / 4, rel=0.01)
    assert split.flops == whole.flops


def test_supervised_training_samples_nothing() -> None:
    plan = plan_training(tiny_recipe())
    assert set(plan.flops) == {"training"}
    assert "cache of sampling" not in plan.memory
    assert plan.teacher == 0


def test_a_model_that_cannot_be_fetched_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    missing = {"type": "hub", "id": "nobody/nothing", "revision": "abc"}
    with pytest.raises(CheckpointError, match=r"nobody/nothing@abc: the tokenizer cannot be had"):
        plan_training(opd(missing, missing))
