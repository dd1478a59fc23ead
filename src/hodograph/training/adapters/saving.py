"""Keep a trained adapter: merged into the weights, and by itself for PEFT."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import PreTrainedModel

from hodograph.training.sharded import whole

ADAPTER = "default"  # PEFT's name for the only adapter
BASE = ".base_layer."


def is_adapted(model: nn.Module) -> bool:
    """Whether PEFT has put an adapter into the model."""
    return hasattr(model, "peft_config")


def merged_weights(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """The weights W + scale B A, whole, under the names the model has without its adapter.

    The model is left alone: PEFT's own merging and unmerging would round its weights. One matrix
    is merged at a time; all processes of a sharded model must go through them together.
    """
    from peft.tuners.lora import LoraLayer

    adapted: dict[str, Any] = {n: m for n, m in model.named_modules() if isinstance(m, LoraLayer)}
    seen: set[int] = set()
    for name, tensor in model.state_dict(keep_vars=True).items():
        if ".lora_" in name or id(tensor) in seen:
            continue
        seen.add(id(tensor))
        layer = adapted.get(name.removesuffix(f"{BASE}weight"))
        moved = 0 if layer is None else whole(layer.get_delta_weight(ADAPTER))
        yield name.replace(BASE, "."), whole(tensor) + moved


def adapter_weights(model: PreTrainedModel) -> Iterator[tuple[str, Tensor]]:
    """The adapter's weights, under the names PEFT reads them by."""
    from peft import get_peft_model_state_dict

    for name, tensor in get_peft_model_state_dict(model, adapter_name=ADAPTER).items():
        yield f"base_model.model.{name}", tensor


def save_adapter(model: PreTrainedModel, folder: Path, weights: dict[str, Tensor]) -> None:
    """Write the adapter, as `PeftModel.from_pretrained(base, folder)` reads it."""
    folder.mkdir()
    contiguous = {name: tensor.contiguous() for name, tensor in weights.items()}
    save_file(contiguous, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    configs: Any = model.peft_config  # PEFT's own, set when the adapter was put in
    configs[ADAPTER].save_pretrained(str(folder))
