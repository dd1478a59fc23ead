"""What must not change a run: our trainer switched off, batch splits, evaluation, empty batches."""

import inspect
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from trl import GRPOTrainer
from trl.trainer.utils import add_fused_lm_head

from hodograph.checkpoints import open_checkpoint
from hodograph.errors import SettingsError
from hodograph.recipes import Recipe
from hodograph.training import train
from hodograph.training.assembly import open_parts
from hodograph.training.data import prompt_dataset, reward_functions
from hodograph.training.evaluation import eos_ids
from hodograph.training.settings import grpo_config
from hodograph.training.trainer import OnPolicyTrainer
from planted.runs import tiny_recipe, weights

RANDOM = {"type": "rlvr", "reward": "random"}


def trained_weights(
    kind: type[GRPOTrainer], recipe: Recipe, state: Path, **options: Any
) -> dict[str, Tensor]:
    """Train with a trainer class on the recipe's settings, data and rewards."""
    parts = open_parts(recipe)
    examples = parts.task.training(recipe.seed, recipe.steps * recipe.batch.prompts)
    ends = eos_ids(parts.model, parts.tokenizer)
    trainer = kind(
        model=parts.model,
        args=grpo_config(recipe, state),
        train_dataset=prompt_dataset(examples),
        reward_funcs=reward_functions(recipe, parts.task, examples, ends),
        processing_class=parts.tokenizer,
        **options,
    )
    trainer.train()
    return parts.model.state_dict()


@pytest.mark.parametrize("loss_agg", ["token-mean", "seq-mean-token-mean"])
@pytest.mark.parametrize("accumulation", [1, 2])
def test_with_alpha_zero_and_no_filter_it_is_trls_own_trainer_bit_for_bit(
    tmp_path: Path, loss_agg: str, accumulation: int
) -> None:
    objective = RANDOM | {"loss_agg": loss_agg}
    recipe = tiny_recipe({"objective": objective, "batch": {"accumulation": accumulation}})
    plain = trained_weights(GRPOTrainer, recipe, tmp_path)
    ours = trained_weights(OnPolicyTrainer, recipe, tmp_path, alpha=0.0)
    start = open_parts(recipe).model.state_dict()
    assert all(torch.equal(plain[name], ours[name]) for name in plain)
    assert not all(torch.equal(plain[name], start[name]) for name in plain)


def test_two_runs_of_one_recipe_are_equal_and_another_seed_differs(tmp_path: Path) -> None:
    recipe = tiny_recipe({"objective": RANDOM})
    one, two = (train(recipe, tmp_path / name) for name in ("one", "two"))
    assert weights(one.final_checkpoint) == weights(two.final_checkpoint)
    assert (one.path / "metrics.jsonl").read_text() == (two.path / "metrics.jsonl").read_text()
    other = train(tiny_recipe({"objective": RANDOM, "seed": 1}), tmp_path / "other")
    assert weights(one.final_checkpoint) != weights(other.final_checkpoint)


@pytest.mark.parametrize("objective", [{"type": "sft"}, RANDOM])
def test_splitting_a_step_into_micro_batches_changes_rounding_only(
    tmp_path: Path, objective: dict[str, Any]
) -> None:
    runs = [
        train(
            tiny_recipe({"objective": objective, "steps": 1, "batch": {"accumulation": parts}}),
            tmp_path / str(parts),
        )
        for parts in (1, 4)
    ]
    lines = [json.loads((run.path / "metrics.jsonl").read_text()) for run in runs]
    assert lines[1]["grad_norm"] == pytest.approx(lines[0]["grad_norm"], rel=1e-4)
    assert lines[1]["tokens"] == lines[0]["tokens"]


def test_evaluating_and_saving_more_often_does_not_change_the_weights(tmp_path: Path) -> None:
    plain = train(tiny_recipe({"objective": RANDOM}), tmp_path / "plain")
    watched = tiny_recipe(
        {
            "objective": RANDOM,
            "save": {"steps": [1, 2, 3]},
            "evaluation": {"prompts": 6, "steps": [0, 1, 2], "batch": 4},
            "stop": {"greedy_accuracy": 1.0, "every": 1, "prompts": 3},
        }
    )
    run = train(watched, tmp_path / "watched")
    assert weights(plain.final_checkpoint) == weights(run.final_checkpoint)
    assert [entry["step"] for entry in run.evaluations] == [0, 1, 2, 4]


def test_a_batch_without_signal_moves_nothing_under_decay_and_momentum(tmp_path: Path) -> None:
    """A random model never answers right, so every group of the verifier's rewards is equal."""
    changes = {"optimizer": {"lr": 0.1, "weight_decay": 0.5}, "save": {"steps": [1, 2, 3]}}
    masked = train(tiny_recipe({"objective": {"type": "rlvr"}, **changes}), tmp_path / "masked")
    checkpoints = masked.path / "checkpoints"
    lines = [json.loads(x) for x in (masked.path / "metrics.jsonl").read_text().splitlines()]
    assert [line["reward/zero_variance"] for line in lines] == [1.0] * 4
    assert weights(checkpoints / "step_4") == weights(checkpoints / "step_0")
    step = json.loads((checkpoints / "step_4/hodograph_step.json").read_text())
    assert step == {
        "step": 4,
        "learning_rate_sum": 0.0,
        "weight_decay_sum": 0.0,
        "skipped_steps": 4,
    }

    kept = {"type": "rlvr", "zero_variance": "keep"}
    decayed = train(tiny_recipe({"objective": kept, **changes}), tmp_path / "kept")
    assert weights(decayed.final_checkpoint) != weights(checkpoints / "step_0")
    step = json.loads((decayed.final_checkpoint / "hodograph_step.json").read_text())
    assert step["learning_rate_sum"] == pytest.approx(0.4)
    assert step["weight_decay_sum"] == pytest.approx(0.2)


def on_policy_trainer(state: Path, *, dtype: torch.dtype, batching: bool, alpha: float) -> None:
    recipe = tiny_recipe({"objective": RANDOM})
    parts = open_parts(recipe)
    examples = parts.task.training(0, 8)
    settings = grpo_config(recipe, state)
    settings.use_transformers_continuous_batching = batching
    OnPolicyTrainer(
        model=parts.model.to(dtype),
        args=settings,
        train_dataset=prompt_dataset(examples),
        reward_funcs=reward_functions(recipe, parts.task, examples, [20]),
        processing_class=parts.tokenizer,
        alpha=alpha,
    )


@pytest.mark.parametrize(
    ("dtype", "batching", "alpha", "words"),
    [
        (torch.bfloat16, False, 0.0, "weights are trained in float32 only"),
        (torch.float32, True, 0.0, "continuous batching casts the trained weights"),
        (torch.float32, False, 0.5, "a teacher is needed: alpha is 0.5"),
    ],
)
def test_what_would_spoil_the_weights_or_the_objective_is_refused(
    tmp_path: Path, dtype: torch.dtype, batching: bool, alpha: float, words: str
) -> None:
    with pytest.raises(SettingsError, match=words):
        on_policy_trainer(tmp_path, dtype=dtype, batching=batching, alpha=alpha)


def test_the_hash_of_the_first_weights_names_the_origin(tmp_path: Path) -> None:
    base = train(tiny_recipe({"steps": 1}), tmp_path / "base")
    branch = {"student": {"type": "path", "path": str(base.path)}, "steps": 1}
    one = train(tiny_recipe({**branch, "seed": 1}), tmp_path / "one")
    two = train(tiny_recipe({**branch, "seed": 2, "objective": RANDOM}), tmp_path / "two")
    hashes = [json.loads((r.path / "provenance.json").read_text())["w0_hash"] for r in (one, two)]
    assert hashes[0] == hashes[1] == open_checkpoint(base.final_checkpoint).digest()


class TestContractsOfTrl:
    """Informal behaviour of TRL 1.16 that the on-policy trainer rests on."""

    def test_the_fused_head_is_added_with_a_temperature(self) -> None:
        parameters = list(inspect.signature(add_fused_lm_head).parameters)
        assert parameters[:2] == ["model", "temperature"]

    def test_generation_order_and_advantages_of_a_token(self, tmp_path: Path) -> None:
        """Groups come in data order, and a token's advantage weighs that token alone."""
        recipe = tiny_recipe({"objective": RANDOM, "steps": 1})
        parts = open_parts(recipe)
        examples = parts.task.training(0, 2)
        trainer = GRPOTrainer(
            model=parts.model,
            args=grpo_config(recipe, tmp_path),
            train_dataset=prompt_dataset(examples),
            reward_funcs=reward_functions(recipe, parts.task, examples, [20]),
            processing_class=parts.tokenizer,
        )
        rows = next(iter(trainer.get_train_dataloader()))
        assert [row["index"] for row in rows] == [0] * 4 + [1] * 4  # in order, groups together
        batch = trainer._generate_and_score_completions(rows)
        trainer.current_gradient_accumulation_steps = 1
        chosen_BT = torch.zeros(batch["completion_ids"].shape)
        chosen_BT[3, 0] = 2.0
        loss = trainer._compute_loss(parts.model, batch | {"advantages": chosen_BT}).detach()
        tokens = batch["completion_mask"].sum()
        assert float(loss) == pytest.approx(-2.0 / float(tokens), rel=1e-5)
