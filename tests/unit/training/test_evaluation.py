"""Accuracy of a model that knows its answers, and its standard error."""

from dataclasses import replace
from itertools import combinations
from math import comb
from statistics import fmean

import pytest
import torch
from transformers import PreTrainedModel

from hodograph.recipes import Qwen3Model, ReasoningGymTask
from hodograph.tasks import Completion, Example, open_task
from hodograph.training.estimates import pass_at, sampled_estimates, standard_error
from hodograph.training.evaluation import Examiner, eos_ids
from hodograph.training.models import open_model, open_tokenizer
from planted.runs import STUDENT

SETTINGS = Qwen3Model.model_validate(STUDENT)


class FirstToken:
    """Full marks for an answer that starts with the example's key; a task of one token."""

    def training(self, seed: int, count: int) -> list[Example]:
        return self.evaluation(seed, count)

    def evaluation(self, seed: int, count: int) -> list[Example]:
        return [Example(f"{index % 10}+{seed}=", "", "5") for index in range(count)]

    def score(self, completion: Completion, example: Example) -> float:
        return float(completion.text.startswith(str(example.key)))


@pytest.fixture
def model() -> PreTrainedModel:
    """Logits 2 for the token "5" and 0 for every other, whatever the context."""
    model = open_model(SETTINGS, 0)
    five = open_tokenizer(SETTINGS).convert_tokens_to_ids("5")

    def planted(module: object, arguments: object, output: torch.Tensor) -> torch.Tensor:
        logits = torch.zeros_like(output)
        logits[..., five] = 2.0
        return logits

    model.lm_head.register_forward_hook(planted)
    return model


def examiner(prompts: int, temperature: float, batch: int = 1024) -> Examiner:
    task = FirstToken()
    return Examiner(
        task=task,
        tokenizer=open_tokenizer(SETTINGS),
        examples=task.evaluation(0, prompts),
        temperature=temperature,
        max_completion_length=1,
        seed=7,
        batch=batch,
    )


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_sampled_accuracy_is_the_softmax_probability_and_greedy_is_one(
    model: PreTrainedModel, temperature: float
) -> None:
    result = examiner(4096, temperature).examine(model, step=3)
    odds = torch.tensor(2.0 / temperature).exp().item()
    expected = odds / (odds + 23)  # 24 tokens
    assert result.accuracy == pytest.approx(expected, abs=4 * result.standard_error)
    assert result.greedy_accuracy == 1.0
    assert result.standard_error == pytest.approx(
        (expected * (1 - expected) / 4096) ** 0.5, rel=0.1
    )
    assert (result.step, result.prompts, result.temperature) == (3, 4096, temperature)


def test_evaluation_repeats_itself_and_leaves_the_model_and_the_randomness_alone(
    model: PreTrainedModel,
) -> None:
    model.train()
    model.generation_config.top_k = 1  # a model's own settings must not leak in
    torch.manual_seed(11)
    expected = torch.rand(2)
    torch.manual_seed(11)
    first = examiner(64, 1.0).examine(model, 0)
    between = torch.rand(1)
    assert examiner(64, 1.0).examine(model, 0) == first
    assert torch.equal(torch.cat([between, torch.rand(1)]), expected)
    assert model.training
    assert model.generation_config.top_k == 1
    assert first.accuracy < 1.0


def test_the_standard_error_of_a_mean() -> None:
    scores = [0.0, 1.0, 1.0, 0.5]
    variance = sum((s - fmean(scores)) ** 2 for s in scores) / 3
    assert standard_error(scores) == pytest.approx((variance / 4) ** 0.5)
    assert standard_error([1.0]) == 0.0


@pytest.mark.parametrize("c", [0, 1, 3, 5, 6])
@pytest.mark.parametrize("k", [1, 2, 6])
def test_pass_at_k_is_the_share_of_draws_that_hold_a_right_sample(c: int, k: int) -> None:
    right = [index < c for index in range(6)]
    draws = [any(draw) for draw in combinations(right, k)]
    assert pass_at(6, c, k) == pytest.approx(sum(draws) / len(draws), abs=1e-15)


def test_pass_at_k_has_no_bias() -> None:
    """Its mean over all outcomes of n independent samples is 1 - (1 - p)^k."""
    n, k, p = 5, 3, 0.3
    mean = sum(comb(n, c) * p**c * (1 - p) ** (n - c) * pass_at(n, c, k) for c in range(n + 1))
    assert mean == pytest.approx(1 - (1 - p) ** k, rel=1e-12)


def test_estimates_take_prompts_as_the_unit() -> None:
    scores = [[1.0, 0.0, 0.5, 0.0], [1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0]]
    found = sampled_estimates(scores, (1, 4))
    means = [1.5 / 4, 1.0, 0.0]
    assert found["avg_at_4"] == pytest.approx(fmean(means))
    assert found["avg_at_4_standard_error"] == pytest.approx(standard_error(means))
    assert found["pass_at_1"] == pytest.approx((1 / 4 + 1 + 0) / 3)  # a half mark does not pass
    assert found["pass_at_4"] == pytest.approx(2 / 3)
    assert found["pass_at_4_standard_error"] == pytest.approx(standard_error([1, 1, 0]))


def test_several_samples_are_independent_and_leave_the_first_as_it_was(
    model: PreTrainedModel,
) -> None:
    one = examiner(512, 1.0).examine(model, 0)
    more = replace(examiner(512, 1.0), samples=4, pass_at=(1, 2)).examine(model, 0)
    assert (more.accuracy, more.standard_error) == (one.accuracy, one.standard_error)
    assert one.estimates == {}
    odds = torch.tensor(2.0).exp().item()
    p = odds / (odds + 23)
    entry = more.as_json()
    for name, expected in (("avg_at_4", p), ("pass_at_1", p), ("pass_at_2", 1 - (1 - p) ** 2)):
        assert entry[name] == pytest.approx(expected, abs=4 * entry[f"{name}_standard_error"])
    assert 0 < entry["avg_at_4_standard_error"] < 0.7 * one.standard_error  # about a half


def test_every_declared_end_of_text_ends_a_completion(model: PreTrainedModel) -> None:
    tokenizer = open_tokenizer(SETTINGS)
    model.generation_config.eos_token_id = [3, tokenizer.eos_token_id]
    assert eos_ids(model, tokenizer) == sorted([3, tokenizer.eos_token_id])
    model.generation_config.eos_token_id = None
    assert eos_ids(model, tokenizer) == [tokenizer.eos_token_id]


def test_chat_prompts_go_through_the_tokenizers_template(model: PreTrainedModel) -> None:
    tokenizer = open_tokenizer(SETTINGS)
    tokenizer.padding_side = "right"  # as in many a published tokenizer
    tokenizer.chat_template = (
        "{% for m in messages %}{{ '>' * (m['content'] | length - 60) }}{% endfor %}="
    )
    settings = ReasoningGymTask(type="reasoning_gym", dataset="chain_sum")
    task = open_task(settings)
    asks = Examiner(task, tokenizer, task.evaluation(0, 3), 1.0, 2, 7, 2)
    lengths = [len(str(e.prompt[0]["content"])) - 60 for e in asks.examples]
    assert len(set(lengths)) > 1
    inputs = asks._inputs(asks.examples)
    assert inputs["attention_mask"].sum(dim=1).tolist() == [n + 1 for n in lengths]
    assert inputs["attention_mask"][:, -1].tolist() == [1, 1, 1]  # padded on the left
    shown = tokenizer.batch_decode(inputs["input_ids"], skip_special_tokens=True)
    assert shown == [">" * n + "=" for n in lengths]
    assert asks.examine(model, 0).prompts == 3
