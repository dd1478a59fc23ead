"""A task's examples as text that a model reads: prompt and demonstration."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from hodograph.tasks import Example

BATCH = 64


def text_ids(example: Example, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Token ids of a prompt and its demonstration, as SFT would train on them."""
    encode: Any = tokenizer
    if isinstance(example.prompt, str):
        parts = encode([example.prompt, example.demonstration], add_special_tokens=False)
        return [token for ids in parts["input_ids"] for token in ids]
    answer = {"role": "assistant", "content": example.demonstration}
    return encode.apply_chat_template([*example.prompt, answer])["input_ids"]


def text_batches(
    examples: Sequence[Example], tokenizer: PreTrainedTokenizerBase, batch: int = BATCH
) -> Iterator[dict[str, Tensor]]:
    """Yield padded `input_ids` and their `attention_mask`, in the order of the examples."""
    for start in range(0, len(examples), batch):
        ids = [text_ids(example, tokenizer) for example in examples[start : start + batch]]
        yield dict(tokenizer.pad({"input_ids": ids}, padding_side="right", return_tensors="pt"))


def to_device(model: PreTrainedModel) -> PreTrainedModel:
    """Move a model to where a trainer will place it anyway, before many texts are read."""
    return model.cuda() if torch.cuda.is_available() else model
