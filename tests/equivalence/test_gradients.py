"""The trainers' gradients against losses written out in float64, on a real Qwen3 and real TRL.

Shapes: B sequences, T tokens, V vocabulary.
"""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel, TrainerCallback

from hodograph.recipes import Recipe, merged
from hodograph.training import train
from hodograph.training.assembly import Parts, build_trainer, open_parts
from hodograph.training.folder import RunFolder
from planted.runs import STUDENT, tiny_recipe
from planted.twin import twin_loss

TOLERANCE = 3e-5  # relative, in the norm of the whole gradient: float32 against float64
UNCLIPPED = {"optimizer": {"lr": 1e-3, "max_grad_norm": 0}}


class Gradients(TrainerCallback):
    """Keeps the gradient the optimizer would use."""

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model
        self.kept: dict[str, Tensor] = {}

    def on_pre_optimizer_step(self, *_: Any, **__: Any) -> None:
        self.kept = {
            name: parameter.grad.double().clone()
            for name, parameter in self.model.named_parameters()
            if parameter.grad is not None
        }


def step_once(recipe: Recipe, tmp_path: Path) -> tuple[dict[str, Tensor], Parts, list[Any]]:
    """One real trainer step: its gradient, the models as they were before it, its batches."""
    parts = open_parts(recipe)
    before = copy.deepcopy(parts)
    trainer = build_trainer(recipe, RunFolder(tmp_path), parts)
    batches: list[Any] = []
    prepare = trainer._prepare_inputs
    trainer._prepare_inputs = lambda inputs: batches.append(prepare(inputs)) or batches[-1]
    gradients = Gradients(parts.model)
    trainer.add_callback(gradients)
    trainer.train()
    return gradients.kept, before, batches


def assert_close(actual: dict[str, Tensor], model: PreTrainedModel, loss: Tensor) -> None:
    loss.backward()
    expected = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    assert actual.keys() == expected.keys()
    total = torch.stack([g.square().sum() for g in expected.values()]).sum().sqrt()
    error = torch.stack([(actual[n] - g).square().sum() for n, g in expected.items()]).sum().sqrt()
    assert total > 1e-3
    assert float(error / total) < TOLERANCE


def completion_logps(
    model: PreTrainedModel, batch: dict[str, Tensor], temperature: float
) -> Tensor:
    """log p(a_t) of every completion token, from the full softmax in float64, B x T."""
    ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1)
    attended = torch.cat([batch["prompt_mask"], batch["completion_mask"]], dim=1)
    logits_BTV = model(input_ids=ids, attention_mask=attended).logits[:, :-1] / temperature
    logps_BT = logits_BTV.log_softmax(-1).gather(2, ids[:, 1:, None])[..., 0]
    return logps_BT[:, -batch["completion_ids"].size(1) :]


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A larger random model, as a finished run of one step."""
    student = STUDENT | {"hidden_size": 24, "layers": 2, "initializer_range": 0.2}
    recipe = tiny_recipe({"student": student, "steps": 1, "seed": 5})
    run = train(recipe, tmp_path_factory.mktemp("models") / "teacher")
    return {"type": "path", "path": str(run.path)}


@pytest.mark.parametrize("accumulation", [1, 2])
def test_sft_lowers_the_mean_cross_entropy_of_answer_tokens(
    tmp_path: Path, accumulation: int
) -> None:
    recipe = tiny_recipe({"steps": 1, "batch": {"accumulation": accumulation}, **UNCLIPPED})
    actual, before, _ = step_once(recipe, tmp_path)
    model, tokenizer = before.model.double(), before.tokenizer
    total, tokens = torch.zeros((), dtype=torch.float64), 0
    for example in before.task.training(recipe.seed, recipe.batch.sequences):
        text = example.prompt + example.demonstration
        ids = torch.tensor([tokenizer(text)["input_ids"]])
        logps_TV = model(input_ids=ids).logits[0, :-1].log_softmax(-1)
        answer = len(example.demonstration)
        total = total - logps_TV.gather(1, ids[0, 1:, None])[-answer:].sum()
        tokens += answer
    assert_close(actual, model, total / tokens)


@pytest.mark.parametrize("temperature", [1.0, 0.7])
@pytest.mark.parametrize("loss_agg", ["token-mean", "seq-mean-token-mean"])
def test_opd_is_a_policy_gradient_on_minus_the_log_ratio(
    tmp_path: Path, teacher: dict[str, Any], loss_agg: str, temperature: float
) -> None:
    objective = {"type": "opd", "loss_agg": loss_agg}
    changes = {"teacher": teacher, "objective": objective, "sampling": {"temperature": temperature}}
    actual, before, batches = step_once(tiny_recipe({"steps": 1, **changes, **UNCLIPPED}), tmp_path)
    model, batch = before.model.double(), batches[0]
    logps_BT = completion_logps(model, batch, temperature)
    with torch.no_grad():
        gap_BT = logps_BT - completion_logps(before.teacher.double(), batch, temperature)
    assert_close(actual, model, policy_loss(-gap_BT, logps_BT, batch["completion_mask"], loss_agg))


@pytest.mark.parametrize("scale", ["group", "none"])
@pytest.mark.parametrize("loss_agg", ["token-mean", "seq-mean-token-mean"])
def test_rlvr_is_grpo_on_the_groups_whose_rewards_vary(
    tmp_path: Path, loss_agg: str, scale: str
) -> None:
    objective = {
        "type": "rlvr",
        "reward": "random",
        "loss_agg": loss_agg,
        "scale_rewards": scale,
    }
    changes = {"objective": objective, "batch": {"prompts": 8, "group_size": 2}, "seed": 1}
    recipe = tiny_recipe({"steps": 1, **changes, **UNCLIPPED})
    parts = open_parts(recipe)
    before = copy.deepcopy(parts)
    trainer = build_trainer(recipe, RunFolder(tmp_path), parts)
    kept: list[dict[str, Tensor]] = []
    generate = trainer._generate_and_score_completions
    trainer._generate_and_score_completions = lambda i: kept.append(generate(i)) or dict(kept[-1])
    gradients = Gradients(parts.model)
    trainer.add_callback(gradients)
    trainer.train()

    rewards_BF = torch.tensor([list(trainer._logs["rewards"]["random"])], dtype=torch.float64)
    rewards_PG = rewards_BF.view(8, 2)
    deviation_P1 = rewards_PG.std(dim=1, keepdim=True)
    varied_P = deviation_P1[:, 0] > 0
    assert 0 < int(varied_P.sum()) < 8  # the batch holds groups of both kinds
    advantages_PG = rewards_PG - rewards_PG.mean(dim=1, keepdim=True)
    if scale == "group":
        advantages_PG = advantages_PG / (deviation_P1 + 1e-4)  # TRL's floor
    keep_B = varied_P.repeat_interleave(2)

    batch = {name: kept[0][name][keep_B] for name in kept[0] if name.endswith(("_ids", "_mask"))}
    model = before.model.double()
    logps_BT = completion_logps(model, batch, 1.0)
    advantages_BT = advantages_PG.view(-1, 1)[keep_B].expand_as(logps_BT)
    loss = policy_loss(advantages_BT, logps_BT, batch["completion_mask"], loss_agg)
    assert_close(gradients.kept, model, loss)


def policy_loss(advantages_BT: Tensor, logps_BT: Tensor, mask_BT: Tensor, loss_agg: str) -> Tensor:
    """- mean of A_t log p(a_t), over tokens or over sequences of token means."""
    terms_BT = -advantages_BT * logps_BT * mask_BT
    if loss_agg == "token-mean":
        return terms_BT.sum() / mask_BT.sum()
    return (terms_BT.sum(1) / mask_BT.sum(1)).mean()


def test_the_logged_reverse_kl_is_the_mean_log_ratio_of_the_batch(
    tmp_path: Path, teacher: dict[str, Any]
) -> None:
    recipe = tiny_recipe({"steps": 1, "teacher": teacher, "objective": {"type": "opd"}})
    run = train(recipe, tmp_path / "run")
    _, before, batches = step_once(recipe, tmp_path / "again")
    mask_BT = batches[0]["completion_mask"]
    with torch.no_grad():
        ours_BT = completion_logps(before.model.double(), batches[0], 1.0)
        gap_BT = ours_BT - completion_logps(before.teacher.double(), batches[0], 1.0)
    line = json.loads((run.path / "metrics.jsonl").read_text())
    expected = float((gap_BT * mask_BT).sum() / mask_BT.sum())
    assert line["opd/reverse_kl"] == pytest.approx(expected, rel=1e-5)


COIN = {"reward": "random"}
ROWS = {"prompts": 4, "group_size": 4}
BY_TEACHER = {"type": "teacher", "behaviour": "teacher"}
INTERVENTIONS = {
    "mix": {"objective": {"type": "mix", "alpha": 0.3, **COIN}},
    "mix by slime's coefficient": {"objective": {"type": "mix", "opd_kl_coef": 0.5, **COIN}},
    "mix, means over answers": {
        "objective": {"type": "mix", "alpha": 0.6, "loss_agg": "seq-mean-token-mean", **COIN}
    },
    "mix, equal groups kept": {
        "objective": {"type": "mix", "alpha": 0.3, "zero_variance": "keep", **COIN}
    },
    "mix, normalised": {"objective": {"type": "mix", "alpha": 0.3, "normalise": "batch", **COIN}},
    "largest gap": {"selection": {"type": "largest_gap", "rho": 0.5}},
    "smallest gap": {"selection": {"type": "smallest_gap", "rho": 0.4, "compensate": False}},
    "random tokens": {"selection": {"type": "random", "rho": 0.5}},
    "high entropy": {"selection": {"type": "entropy", "rho": 0.2}},
    "first tokens": {"selection": {"type": "position", "rho": 0.5}},
    "last tokens of a mix": {
        "objective": {"type": "mix", "alpha": 0.5, "loss_agg": "seq-mean-token-mean", **COIN},
        "selection": {"type": "position", "rho": 0.3, "where": "last"},
    },
    "random tokens of rlvr": {
        "objective": {"type": "rlvr", **COIN},
        "selection": {"type": "random", "rho": 0.25},
        "teacher": None,
    },
    "teacher answers": {"rollout": {"type": "teacher"}},
    "teacher answers, true ratio": {"rollout": BY_TEACHER},
    "teacher answers, clipped": {
        "objective": {"type": "rlvr", "eps_clip": 0.5, "eps_clip_high": 0.2, **COIN},
        "rollout": BY_TEACHER,
    },
    "both answer, true ratio, mixed": {
        "objective": {"type": "mix", "alpha": 0.5, "eps_clip": 1, "eps_clip_high": 9, **COIN},
        "rollout": {"type": "mixture", "teacher_share": 0.5, "behaviour": "teacher"},
        "selection": {"type": "largest_gap", "rho": 0.5},
    },
    "full reverse KL": {"objective": {"kl": "full_reverse"}},
    "full forward KL of some tokens": {
        "objective": {"kl": "full_forward", "loss_agg": "seq-mean-token-mean"},
        "sampling": {"temperature": 0.7},
        "selection": {"type": "largest_gap", "rho": 0.5},
        "rollout": {"type": "teacher"},
    },
}


@pytest.mark.parametrize("name", INTERVENTIONS)
def test_every_intervention_has_the_gradient_of_its_plain_twin(
    tmp_path: Path, teacher: dict[str, Any], name: str
) -> None:
    common = {"steps": 1, "objective": {"type": "opd"}, "teacher": teacher, "batch": ROWS}
    recipe = tiny_recipe(merged(common | UNCLIPPED, INTERVENTIONS[name]))
    parts = open_parts(recipe)
    before = copy.deepcopy(parts)
    trainer = build_trainer(recipe, RunFolder(tmp_path), parts)
    kept: list[dict[str, Tensor]] = []
    generate = trainer._generate_and_score_completions
    trainer._generate_and_score_completions = lambda i: kept.append(generate(i)) or dict(kept[-1])
    gradients = Gradients(parts.model)
    trainer.add_callback(gradients)
    trainer.train()

    batch, rewards = kept[0], trainer._logs["rewards"]
    theirs = None if before.teacher is None else before.teacher.double()
    mine = list(rewards["random" if "random" in rewards else "verifier"])
    model = before.model.double()
    assert_close(gradients.kept, model, twin_loss(recipe, model, theirs, batch, mine))
    line = trainer.state.log_history[0]
    clipped = line["clip_ratio/region_mean"]
    assert 0 < clipped < 1 if name == "teacher answers, clipped" else clipped == 0
    if name.startswith("both answer"):
        assert 0 < line["rollout/teacher"] < 1
