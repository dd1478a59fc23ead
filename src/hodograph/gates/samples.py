"""A model's own completions of a task's prompts, as one padded batch.

N samples, in groups of one prompt; S tokens of the longest.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hodograph.errors import SettingsError
from hodograph.gates.settings import GatesSettings
from hodograph.inputs.source import Sampling, Source, Text
from hodograph.inputs.tokens import answered, encoded, ends_of
from hodograph.recipes import ChainMixtureTask, Recipe
from hodograph.tasks import Completion, open_task

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

AT_ONCE = 1024  # tokens in one pass of a model
LOGITS_AT_ONCE = 1 << 26  # numbers in the logits of one pass
LEAST_GROUPS = 2  # a standard error over prompts needs two


@dataclass(frozen=True)
class Samples:
    """Sampled completions, each after its prompt; shorter ones are filled up on the right.

    Causal attention lets no token see what follows it, so the filling changes nothing before it.

    Attributes:
        ids_NS: token ids.
        answer_NS: which tokens are of the completion.
        real_NS: which are not filling.
        rewards_N: of the task's verifier; None where the task has none.
        group: samples of one prompt; they stand side by side.
    """

    ids_NS: Int[Tensor, "N S"]
    answer_NS: Bool[Tensor, "N S"]
    real_NS: Bool[Tensor, "N S"]
    rewards_N: Float[Tensor, " N"] | None
    group: int

    @property
    def answer_tokens(self) -> int:
        """Tokens of the completions."""
        return int(self.answer_NS.sum())

    @property
    def scored_NT(self) -> Bool[Tensor, "N T"]:
        """Which of the predicted tokens, T = S - 1, are of the completion."""
        return self.answer_NS[:, 1:]

    def chunks(self, vocabulary: int) -> Iterator[slice]:
        """Rows that one pass of a model takes."""
        length = self.ids_NS.shape[1]
        rows = max(1, min(AT_ONCE, LOGITS_AT_ONCE // vocabulary) // length)
        return (slice(start, start + rows) for start in range(0, len(self.ids_NS), rows))

    def by_prompt(self, values_N: Float[Tensor, " N"]) -> Float[Tensor, " P"]:
        """Sums over the samples of each prompt."""
        return values_N.reshape(-1, self.group).sum(dim=1)

    def sequences(self) -> list[list[int]]:
        """Token ids of each sample, without filling."""
        return [ids[real].tolist() for ids, real in zip(self.ids_NS, self.real_NS, strict=True)]


def sample(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    recipe: Recipe,
    settings: GatesSettings,
) -> Samples:
    """Let a model answer the task's evaluation prompts at the recipe's temperature.

    Raises:
        SettingsError: two prompts alone have more tokens than were asked for.
    """
    task = open_task(recipe.task)
    examples = task.evaluation(settings.seed, settings.prompts)
    prompts = tuple(Text(one.prompt) for one in examples for _ in range(settings.samples))
    sampling = Sampling(
        recipe.sampling.temperature, recipe.sampling.max_completion_length, settings.seed
    )
    source = Source("", "rollouts", prompts, sampling)
    starts = [len(ids) for ids in encoded(source, tokenizer)]
    found: list[list[int]] = []
    room = settings.tokens
    finished = answered(source, sampling, model, tokenizer)
    while group := list(islice(finished, settings.samples)):
        room -= sum(map(len, group))
        if room < 0:
            break
        found += group
    if len(found) < LEAST_GROUPS * settings.samples:
        raise SettingsError(
            f"{settings.tokens} tokens do not hold the samples of {LEAST_GROUPS} prompts.\n"
            "  Allow more (--tokens), or ask for fewer samples of each (--samples)."
        )
    starts = starts[: len(found)]
    rewards_N = None
    if not isinstance(recipe.task, ChainMixtureTask):  # demonstrations only, no verifier
        asked = [one for one in examples for _ in range(settings.samples)]
        ends = ends_of(model, tokenizer)
        answers = [
            Completion(
                str(tokenizer.decode(ids[start:], skip_special_tokens=True)), ids[-1] in ends
            )
            for ids, start in zip(found, starts, strict=True)
        ]
        scores = [task.score(a, e) for a, e in zip(answers, asked, strict=False)]
        rewards_N = torch.tensor(scores, dtype=torch.float64)
    return padded(found, starts, rewards_N, settings.samples)


def padded(
    ids: list[list[int]], starts: list[int], rewards_N: Tensor | None, group: int
) -> Samples:
    """Samples of given lengths as one batch.

    Args:
        ids: of each prompt with its completion.
        starts: where each completion starts.
        rewards_N: of each.
        group: samples of one prompt.
    """
    longest = max(map(len, ids))
    ids_NS = torch.tensor([one + [0] * (longest - len(one)) for one in ids])
    place_S = torch.arange(longest)
    real_NS = place_S < torch.tensor([len(one) for one in ids])[:, None]
    answer_NS = real_NS & (place_S >= torch.tensor(starts)[:, None])
    return Samples(ids_NS, answer_NS, real_NS, rewards_N, group)
