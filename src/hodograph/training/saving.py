"""Write a checkpoint in the Hugging Face layout."""

import json
from pathlib import Path

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from hodograph.training.adapters.saving import is_adapted, merged_weights, save_adapter


def save_model(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path, dtype: str
) -> None:
    """Save weights in `dtype` (`float32` or `bfloat16`), configuration and tokenizer.

    An adapter is merged into the weights, and lies beside them in `adapter/`, in float32.
    """
    target, adapted = getattr(torch, dtype), is_adapted(model)
    current = merged_weights(model) if adapted else model.state_dict()
    weights = {name: tensor.to(target) for name, tensor in current.items()}
    for alias, source in _tied(model).items():
        weights[alias] = weights[source]
    model.save_pretrained(folder, state_dict=weights)
    tokenizer.save_pretrained(folder)
    _declare_dtype(folder / "config.json", dtype)
    if adapted:
        save_adapter(model, folder / "adapter")


def _tied(model: PreTrainedModel) -> dict[str, str]:
    """Names that share a tensor with an earlier name."""
    first: dict[int, str] = {}
    return {
        name: first[tensor.data_ptr()]
        for name, tensor in model.state_dict().items()
        if first.setdefault(tensor.data_ptr(), name) != name
    }


def _declare_dtype(path: Path, dtype: str) -> None:
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {"dtype": dtype}, indent=2) + "\n")
