"""Whether PEFT is there, and which part of an adapter trains."""

from importlib.util import find_spec

from torch import nn

from hodograph.errors import SettingsError


def require_peft() -> None:
    """Refuse to go on without the extra `lora`.

    Raises:
        SettingsError: PEFT is not installed.
    """
    if find_spec("peft") is None:
        raise SettingsError("adapters need PEFT: pip install 'hodograph[lora]'.")


def freeze_a(model: nn.Module) -> None:
    """Keep every LoRA A as it is; of an adapter from `hodograph adapt`, B alone shall train.

    PEFT stores nothing of this kind, so it is called each time such an adapter is loaded to be
    trained on.
    """
    for name, parameter in model.named_parameters():
        if ".lora_A." in name:
            parameter.requires_grad_(False)
