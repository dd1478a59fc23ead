"""Hand a task's examples to TRL's trainers, and its verifier as a reward function."""

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from hodograph.recipes import MixObjective, Recipe, RlvrObjective
from hodograph.tasks import Completion, Example, Task
from hodograph.tasks.task import stream_seed
from hodograph.training.interventions.resampling import Spare
from hodograph.world import ALONE, World

RewardFunction = Callable[..., list[float]]
IGNORED = -100  # label of a token that does not count in the loss


def demonstration_dataset(examples: list[Example], tokenizer: PreTrainedTokenizerBase) -> Dataset:
    """Return demonstrations for TRL's SFTTrainer; only the answers count in the loss.

    A plain demonstration ends with the end-of-text token; the chain task's own carry it already.
    Chat examples are left to TRL, which applies the tokenizer's template. Plain text is tokenized
    here in one call, which is some ten times faster than TRL's map over examples.
    """
    if isinstance(examples[0].prompt, str):
        return _tokenized(examples, tokenizer)
    answers = [[{"role": "assistant", "content": e.demonstration}] for e in examples]
    return Dataset.from_dict({"prompt": [e.prompt for e in examples], "completion": answers})


def token_lengths(examples: list[Example], tokenizer: PreTrainedTokenizerBase) -> tuple[int, int]:
    """Return the tokens of the longest prompt and of the longest demonstration."""
    encode: Any = tokenizer
    prompts: list[Any] = [example.prompt for example in examples]
    if not isinstance(prompts[0], str):
        encode = partial(tokenizer.apply_chat_template, add_generation_prompt=True)
    answers = _ids(tokenizer, [example.demonstration for example in examples])
    return max(map(len, encode(prompts)["input_ids"])), max(map(len, answers))


def prompt_dataset(examples: list[Example]) -> Dataset:
    """Return prompts for TRL's GRPOTrainer, each with its index in `examples`."""
    indices = list(range(len(examples)))
    return Dataset.from_dict({"prompt": [e.prompt for e in examples], "index": indices})


def spare_prompts(task: Task, seed: int, examples: list[Example]) -> Spare:
    """Return the source of prompts for resampling: functions of seed, step and attempt.

    Those of the latest attempt stand at the end of `examples`, where the verifier finds them.
    """
    own = len(examples)

    def spare(step: int, attempt: int, prompts: int) -> list[dict[str, Any]]:
        examples[own:] = task.training(stream_seed("spare", seed, step, attempt), prompts)
        return [
            {"prompt": example.prompt, "index": own + i, "attempt": attempt}
            for i, example in enumerate(examples[own:])
        ]

    return spare


def reward_functions(
    recipe: Recipe,
    task: Task,
    examples: list[Example],
    eos_ids: list[int],
    world: World = ALONE,
) -> list[RewardFunction]:
    """Return the verifier and, for the random-reward control, a coin after it."""
    functions = [_verifier(task, examples, eos_ids)]
    objective = recipe.objective
    if isinstance(objective, RlvrObjective | MixObjective) and objective.reward == "random":
        functions.append(_coin(recipe.seed, world))
    return functions


def _verifier(task: Task, examples: list[Example], eos_ids: list[int]) -> RewardFunction:
    def verifier(
        completions: list[Any], completion_ids: list[list[int]], index: list[int], **_: Any
    ) -> list[float]:
        ended = [ids[-1] in eos_ids for ids in completion_ids]
        answers = map(Completion, map(_text, completions), ended)
        return [task.score(a, examples[i]) for a, i in zip(answers, index, strict=True)]

    return verifier


def _coin(seed: int, world: World) -> RewardFunction:
    def random(
        completions: list[Any], trainer_state: Any, attempt: list[int] | None = None, **_: Any
    ) -> list[float]:
        """A fair coin for each completion, a function of seed, step and its place in the batch."""
        draw = [] if attempt is None else attempt[:1]  # of a resampled group
        coin = Random(stream_seed("random reward", seed, trainer_state.global_step, *draw))
        tosses = [float(coin.random() < 0.5) for _ in range(world.size * len(completions))]
        return tosses[world.rank * len(completions) :][: len(completions)]

    return random


def _text(completion: Any) -> str:
    return completion if isinstance(completion, str) else completion[-1]["content"]


def _tokenized(examples: list[Example], tokenizer: PreTrainedTokenizerBase) -> Dataset:
    prompts = _ids(tokenizer, [str(example.prompt) for example in examples])
    answers = [
        ids if ids[-1:] == [tokenizer.eos_token_id] else [*ids, tokenizer.eos_token_id]
        for ids in _ids(tokenizer, [example.demonstration for example in examples])
    ]
    pairs = list(zip(prompts, answers, strict=True))
    return Dataset.from_dict(
        {
            "input_ids": [prompt + answer for prompt, answer in pairs],
            "labels": [[IGNORED] * len(prompt) + answer for prompt, answer in pairs],
        }
    )


def _ids(tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> list[list[int]]:
    return tokenizer(texts, add_special_tokens=False)["input_ids"]
