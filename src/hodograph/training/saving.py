"""Write a checkpoint in the Hugging Face layout."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from hodograph.training.adapters.saving import (
    adapter_weights,
    is_adapted,
    merged_weights,
    save_adapter,
)
from hodograph.training.sharded import is_sharded, whole

Named = Iterator[tuple[str, Tensor]]


@dataclass(frozen=True)
class Weights:
    """What a checkpoint holds, whole; empty where it shall not be written.

    Attributes:
        dtype: `float32` or `bfloat16`.
        tensors: the model's weights in that dtype, an adapter merged.
        adapter: the adapter's own, in float32.
    """

    dtype: str
    tensors: dict[str, Tensor]
    adapter: dict[str, Tensor]


def gathered_weights(model: PreTrainedModel, dtype: str, *, keep: bool = True) -> Weights:
    """Gather a model that may be spread over processes, one tensor at a time.

    All processes of a sharded model must call it. Only where `keep` is set are whole tensors
    kept, in the CPU's memory: no device ever holds more than its own part and one tensor.
    """
    current = merged_weights(model) if is_adapted(model) else _weights(model)
    device = "cpu" if is_sharded(model) else None
    tensors = _kept(current, getattr(torch, dtype), keep, device)
    if keep:
        tensors |= {alias: tensors[source] for alias, source in _tied(model).items()}
    adapter = adapter_weights(model) if is_adapted(model) else iter(())
    return Weights(dtype, tensors, _kept(adapter, torch.float32, keep, device))


def write_model(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path, weights: Weights
) -> None:
    """Write gathered weights, configuration and tokenizer.

    An adapter is merged into the weights, and lies beside them in `adapter/`, in float32.
    """
    model.save_pretrained(folder, state_dict=weights.tensors)
    tokenizer.save_pretrained(folder)
    _declare_dtype(folder / "config.json", weights.dtype)
    if weights.adapter:
        save_adapter(model, folder / "adapter", weights.adapter)


def save_model(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path, dtype: str
) -> None:
    """Save a model that this process holds whole, in `dtype` (`float32` or `bfloat16`)."""
    write_model(model, tokenizer, folder, gathered_weights(model, dtype))


def _weights(model: nn.Module) -> Named:
    tied = _tied(model)
    for name, tensor in model.state_dict().items():
        if name not in tied:
            yield name, tensor


def _kept(named: Named, dtype: torch.dtype, keep: bool, device: str | None) -> dict[str, Tensor]:
    out = {}
    for name, tensor in named:
        full = whole(tensor)
        if keep:
            out[name] = full.to(device=device, dtype=dtype)
    return out


def _tied(model: nn.Module) -> dict[str, str]:
    """Names of parameters that are an earlier one too, and that one's name."""
    first: dict[int, str] = {}
    return {
        name: first[id(parameter)]
        for name, parameter in model.named_parameters(remove_duplicate=False)
        if first.setdefault(id(parameter), name) != name
    }


def _declare_dtype(path: Path, dtype: str) -> None:
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {"dtype": dtype}, indent=2) + "\n")
