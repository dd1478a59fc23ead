"""From texts to token sequences, no more than were asked for.

B sequences of one length, S tokens in each.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Int
from torch import Tensor

from hodograph.errors import SettingsError
from hodograph.inputs.source import Sampling, Source, Text

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Progress = Callable[[int, int, str], None]
AT_ONCE = 2048  # most tokens in one pass of the model
ANSWERED_AT_ONCE = 64  # prompts


@dataclass(frozen=True)
class Sequences:
    """Token ids of the texts used, in their order.

    Attributes:
        ids: one list a text.
        cut: texts of which only the beginning was used: longer than the model, or than was left.
    """

    ids: list[list[int]]
    cut: int

    @property
    def tokens(self) -> int:
        """Tokens in all."""
        return sum(len(one) for one in self.ids)

    def batches(self) -> Iterator[Int[Tensor, "B S"]]:
        """Sequences of one length together, so that no token is padding."""
        of_length: dict[int, list[list[int]]] = defaultdict(list)
        for one in self.ids:
            of_length[len(one)].append(one)
        for length in sorted(of_length):
            for some in _chunks(of_length[length], max(1, AT_ONCE // length)):
                yield torch.tensor(some)


def encoded(source: Source, tokenizer: "PreTrainedTokenizerBase") -> Iterator[list[int]]:
    """Token ids of every text with its answer.

    Raises:
        SettingsError: chat messages, and the tokenizer has no template.
    """
    for text in source.texts:
        yield _ids(text, tokenizer, source.kind != "texts")


def answered(
    source: Source,
    sampling: Sampling,
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
) -> Iterator[list[int]]:
    """Token ids of every prompt with the answer that the model samples, in batches of prompts."""
    from transformers import GenerationConfig

    ends = ends_of(model, tokenizer)
    model.generation_config = GenerationConfig(
        max_new_tokens=sampling.max_completion_length,
        do_sample=True,
        temperature=sampling.temperature,
        top_k=0,
        top_p=1.0,
        eos_token_id=ends,
        pad_token_id=tokenizer.pad_token_id,
        disable_compile=True,
    )
    prompts = [_ids(text, tokenizer, True) for text in source.texts]
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(sampling.seed)
        for some in _chunks(prompts, ANSWERED_AT_ONCE):
            padded = tokenizer.pad({"input_ids": some}, padding_side="left", return_tensors="pt")
            generate: Any = model.generate  # its declared type leaves out the generation mixin
            answers = generate(**padded)[:, padded["input_ids"].shape[1] :].tolist()
            yield from (p + _ended(a, ends) for p, a in zip(some, answers, strict=True))


def bounded(
    found: Iterator[list[int]], tokens: int, longest: int | None, on_progress: Progress
) -> Sequences:
    """Take sequences until there are `tokens` tokens; none is longer than the model allows.

    Raises:
        SettingsError: there is not one token.
    """
    kept: list[list[int]] = []
    left, cut = tokens, 0
    for ids in found:
        most = left if longest is None else min(left, longest)
        cut += len(ids) > most
        if ids:
            kept.append(ids[:most])
            left -= len(kept[-1])
        on_progress(tokens - left, tokens, "inputs: texts")
        if left == 0:
            break
    if not kept:
        raise SettingsError("the texts of --inputs hold no tokens.")
    return Sequences(kept, cut)


def _ids(text: Text, tokenizer: Any, trained: bool) -> list[int]:
    """Ids as in training, where prompt and answer are tokenized apart; a file's as one text."""
    if not isinstance(text.prompt, str):
        return _chat(text, tokenizer, trained)
    pieces = (text.prompt, text.answer or "")
    if trained:
        return [i for p in pieces for i in tokenizer(p, add_special_tokens=False)["input_ids"]]
    return tokenizer("".join(pieces))["input_ids"]


def _chat(text: Text, tokenizer: Any, trained: bool) -> list[int]:
    if tokenizer.chat_template is None:
        raise SettingsError(
            "--inputs holds chat messages, and the model's tokenizer has no chat template.\n"
            "  Name texts, or a checkpoint whose tokenizer has one."
        )
    messages = [*text.prompt]
    if text.answer is not None:
        messages.append({"role": "assistant", "content": text.answer})
    asks = trained and text.answer is None
    return tokenizer.apply_chat_template(messages, add_generation_prompt=asks)["input_ids"]


def ends_of(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> list[int]:
    """Every token that ends an answer."""
    declared = model.generation_config.eos_token_id
    listed = declared if isinstance(declared, list) else [declared]
    return sorted({i for i in (*listed, tokenizer.eos_token_id) if i is not None})


def _ended(ids: list[int], ends: list[int]) -> list[int]:
    """An answer up to its end, without the padding after it."""
    stop = next((place for place, one in enumerate(ids) if one in ends), len(ids) - 1)
    return ids[: stop + 1]


def _chunks(items: list[list[int]], size: int) -> Iterator[list[list[int]]]:
    return (items[start : start + size] for start in range(0, len(items), size))
