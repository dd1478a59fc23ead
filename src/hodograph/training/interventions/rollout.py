"""Rollout source: who answers the prompts of a step.

Point: the trainer's generation, `_generate_single_turn`.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Literal, Protocol

from transformers import PreTrainedTokenizerBase

from hodograph.errors import SettingsError
from hodograph.tasks import Example
from hodograph.tasks.task import stream_seed
from hodograph.world import ALONE, World

TokenIds = list[int]
Role = Literal["student", "teacher"]
Sample = Callable[[Role, list[TokenIds]], list[TokenIds]]  # prompts to completions


@dataclass(frozen=True)
class Draw:
    """One call for completions.

    Attributes:
        step: of the training.
        attempt: 0 for a step's first batch, then one more for each that replaces groups.
        indices: of the training examples, one a completion.
    """

    step: int
    attempt: int
    indices: list[int]


class RolloutSource(Protocol):
    """Answers prompts."""

    def completions(
        self, prompts: list[TokenIds], draw: Draw, sample: Sample
    ) -> tuple[list[TokenIds], list[bool]]:
        """Return a completion of each prompt, and whether it counts as the teacher's."""
        ...


@dataclass(frozen=True)
class SampledRollout:
    """Completions sampled now; a prompt's whole group is the teacher's with `teacher_share`."""

    teacher_share: float
    group_size: int
    seed: int
    world: World = ALONE

    def completions(
        self, prompts: list[TokenIds], draw: Draw, sample: Sample
    ) -> tuple[list[TokenIds], list[bool]]:
        """Sample each model's rows at once, the student's first.

        Processes sample together, so one without rows for a model that others have rows for
        answers its first prompt in vain.
        """
        everywhere = self._by_teacher(len(prompts), draw)
        by_teacher = everywhere[self.world.rank * len(prompts) :][: len(prompts)]
        answers: list[TokenIds] = [[] for _ in prompts]
        roles: tuple[Role, Role] = ("student", "teacher")
        for role in roles:
            if (role == "teacher") not in everywhere:
                continue
            rows = [i for i, theirs in enumerate(by_teacher) if theirs == (role == "teacher")]
            drawn = sample(role, [prompts[i] for i in rows] or prompts[:1])
            for row, ids in zip(rows, drawn, strict=False):
                answers[row] = ids
        return answers, by_teacher

    def _by_teacher(self, count: int, draw: Draw) -> list[bool]:
        """Toss for each prompt of all processes; a function of seed, step and attempt."""
        coin = Random(stream_seed("rollout", self.seed, draw.step, draw.attempt))
        groups = self.world.size * count // self.group_size
        tosses = [coin.random() < self.teacher_share for _ in range(groups)]
        return [toss for toss in tosses for _ in range(self.group_size)]


@dataclass(frozen=True)
class GivenRollout:
    """Completions that were generated before, by index of the training example."""

    groups: list[list[TokenIds]]
    group_size: int

    def completions(
        self, prompts: list[TokenIds], draw: Draw, sample: Sample
    ) -> tuple[list[TokenIds], list[bool]]:
        """Return each example's own group, in order."""
        answers = [self.groups[i][n % self.group_size] for n, i in enumerate(draw.indices)]
        return answers, [True] * len(prompts)


def read_rollout(
    path: Path,
    examples: list[Example],
    tokenizer: PreTrainedTokenizerBase,
    group_size: int,
    max_completion_length: int,
) -> GivenRollout:
    """Read the completions of the training prompts: `group_size` for each time one is asked.

    A row's `completion_ids` are taken as they are. A `completion` in text is tokenized, and the
    end-of-text token added unless the row says `"ended": false`.

    Raises:
        SettingsError: the file cannot be read, lacks a column or completions of a prompt, or holds
            one that is longer than `max_completion_length` or has unknown tokens.
    """
    waiting: dict[str, list[TokenIds]] = defaultdict(list)
    for where, row in _rows(path):
        ids = _token_ids(row, where, tokenizer)
        if len(ids) > max_completion_length:
            raise SettingsError(
                f"{where}: the completion has {len(ids)} tokens,"
                f" sampling.max_completion_length is {max_completion_length}."
            )
        waiting[_key(row["prompt"])].append(ids)
    groups = [_taken(waiting, example, group_size, path) for example in examples]
    return GivenRollout(groups, group_size)


def _taken(
    waiting: dict[str, list[TokenIds]], example: Example, group_size: int, path: Path
) -> list[TokenIds]:
    left = waiting[_key(example.prompt)]
    if len(left) < group_size:
        raise SettingsError(
            f"{path}: {len(left)} completions are left of the prompt {example.prompt!r},"
            f" batch.group_size asks for {group_size} each time it is trained on.\n"
            "  examples/teacher_completions.py writes a file that fits a recipe."
        )
    taken = left[:group_size]
    del left[:group_size]
    return taken


def _token_ids(row: Any, where: str, tokenizer: PreTrainedTokenizerBase) -> TokenIds:
    answer = "completion_ids" if "completion_ids" in row else "completion"
    missing = [name for name in ("prompt", answer) if name not in row]
    if missing:
        raise SettingsError(f"{where}: there is no {missing[0]!r}.")
    ids = row[answer] if answer == "completion_ids" else _encoded(row, tokenizer)
    if not ids:
        raise SettingsError(f"{where}: the completion is empty.")
    unknown = [i for i in ids if i not in range(len(tokenizer))]
    if unknown:
        raise SettingsError(f"{where}: {unknown[0]!r} is no token of the student's vocabulary.")
    return ids


def _encoded(row: Any, tokenizer: PreTrainedTokenizerBase) -> TokenIds:
    ids: TokenIds = tokenizer(row["completion"], add_special_tokens=False)["input_ids"]
    ended = row.get("ended", True) and ids[-1:] != [tokenizer.eos_token_id]
    return [*ids, tokenizer.eos_token_id] if ended else ids


def _rows(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield each row with where it stands, for messages."""
    try:
        if path.is_dir():
            yield from _dataset_rows(path)
        else:
            with path.open(encoding="utf-8") as file:
                for number, line in enumerate(file, start=1):
                    yield f"{path}:{number}", _object(line, f"{path}:{number}")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: the completions cannot be read: {error}.") from None


def _dataset_rows(path: Path) -> Iterator[tuple[str, Any]]:
    from datasets import Dataset, load_from_disk

    dataset = load_from_disk(str(path))
    if not isinstance(dataset, Dataset):
        raise SettingsError(f"{path}: holds several splits; name the folder of one.")
    for number, row in enumerate(dataset):
        yield f"{path}: row {number}", row


def _object(line: str, where: str) -> Any:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{where}: not JSON: {error}.") from None
    if not isinstance(row, dict):
        raise SettingsError(f"{where}: not a JSON object.")
    return row


def _key(prompt: Any) -> str:
    return prompt if isinstance(prompt, str) else json.dumps(prompt, sort_keys=True)
