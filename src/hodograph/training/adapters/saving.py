"""Keep a trained adapter: merged into the weights, and by itself for PEFT."""

from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import PreTrainedModel

ADAPTER = "default"  # PEFT's name for the only adapter


def is_adapted(model: nn.Module) -> bool:
    """Whether PEFT has put an adapter into the model."""
    return hasattr(model, "peft_config")


def merged_weights(model: nn.Module) -> dict[str, Tensor]:
    """The weights W + scale B A under the names the model has without its adapter.

    The model is left alone: PEFT's own merging and unmerging would round its weights.
    """
    from peft.tuners.lora import LoraLayer

    weights = {
        name.replace(".base_layer.", "."): tensor
        for name, tensor in model.state_dict().items()
        if ".lora_" not in name
    }
    for name, module in model.named_modules():
        if isinstance(module, LoraLayer):
            weights[f"{name}.weight"] = weights[f"{name}.weight"] + _moved(module)
    return weights


def save_adapter(model: PreTrainedModel, folder: Path) -> None:
    """Write the adapter in float32, as `PeftModel.from_pretrained(base, folder)` reads it."""
    from peft import get_peft_model_state_dict

    folder.mkdir()
    tensors = get_peft_model_state_dict(model, adapter_name=ADAPTER)
    named = {f"base_model.model.{k}": v.detach().contiguous() for k, v in tensors.items()}
    save_file(named, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    configs: Any = model.peft_config  # PEFT's own, set when the adapter was put in
    configs[ADAPTER].save_pretrained(str(folder))


def _moved(module: Any) -> Tensor:
    return module.get_delta_weight(ADAPTER).detach()
