"""The matrices of a model in training: which there are, and how each is read as it is now."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

import torch
from torch import Tensor, nn

from hodograph.errors import SettingsError
from hodograph.matrices.naming import Role, role_of, unwrapped
from hodograph.matrices.pairing import Scope, in_scope
from hodograph.matrices.unfuse import Block, blocks_of

Layers = int | Sequence[int] | Literal["all"]
# Put inside a name by torch.compile, and by PEFT around modules that are trained whole.
INSIDE = re.compile(r"_orig_mod\.|modules_to_save\.[^.]+\.")
PEFT_COPY = ".original_module."


@dataclass(frozen=True)
class LiveParameter:
    """One parameter of the model in training.

    Attributes:
        name: as a saved checkpoint names it, wrapper prefixes removed.
        role: layer, module, expert.
        blocks: the matrices in it that are looked at.
        parameter: the tensor the model holds; under an adapter, the frozen base weight.
        adapter: the PEFT layer around it, if any.
    """

    name: str
    role: Role
    blocks: tuple[Block, ...]
    parameter: nn.Parameter
    adapter: Any = None

    @torch.no_grad()
    def read(self) -> Tensor:
        """The weights as they are now, on the CPU; adapters are added to a copy.

        On a CPU the tensor of a parameter without adapter is the model's own, not a copy.
        """
        weights = self.parameter.detach()
        if self.adapter is not None:
            weights = _with_adapters(self.adapter, weights)
        return weights.cpu()


def live_parameters(model: nn.Module, scope: Scope, layers: Layers) -> list[LiveParameter]:
    """The parameters of a model that hold matrices in scope, in the order of their names.

    Args:
        model: as the trainer holds it; prefixes of DDP and torch.compile do not matter.
        scope: as in measuring.
        layers: how many layers, spread evenly from the first to the last; or their indices;
            or "all".

    Raises:
        SettingsError: nothing in scope, no such layer, or weights that are sharded, quantised or
            under an adapter whose merged weights are not known.
    """
    if any("_fsdp_wrapped_module" in name for name, _ in model.named_parameters()):
        raise _sharded(type(model).__name__)
    config: Any = getattr(model, "config", None)
    settings = config.to_dict() if config is not None else {}
    found = [p for p in _parameters(model, settings, scope) if p.blocks]
    if not found:
        raise SettingsError(
            f"the monitor finds no matrix of the scope {scope!r} in {type(model).__name__}.\n"
            '  scope="all" looks at every tensor.'
        )
    present = sorted({p.role.layer for p in found if p.role.layer is not None})
    if layers != "all" and present:
        kept = _chosen(present, layers)
        found = [p for p in found if p.role.layer in kept]
    for parameter in found:
        _require_whole(parameter)
    return sorted(found, key=lambda p: p.name)


def _parameters(
    model: nn.Module, settings: dict[str, Any], scope: Scope
) -> Iterator[LiveParameter]:
    adapters = {n: m for n, m in model.named_modules() if hasattr(m, "base_layer")}
    for stored, parameter in model.named_parameters():
        owner = next((name for name in adapters if stored.startswith(f"{name}.")), None)
        inner = stored if owner is None else f"{owner}.base_layer."
        if not stored.startswith(inner) or PEFT_COPY in stored:
            continue  # the adapter's own weights are part of the merged matrix
        name = unwrapped(INSIDE.sub("", stored.replace(".base_layer.", ".")))
        role = role_of(name)
        blocks = blocks_of(name, tuple(parameter.shape), role, settings)
        kept = tuple(block for block in blocks if in_scope(block, scope))
        adapter = adapters[owner] if owner is not None and stored == f"{inner}weight" else None
        yield LiveParameter(name, role, kept, parameter, adapter)


def _chosen(present: list[int], layers: int | Sequence[int]) -> set[int]:
    if isinstance(layers, int):
        if layers < 1:
            raise SettingsError(f"layers is {layers}; it must be at least 1.")
        last = len(present) - 1
        return {present[round(i * last / max(1, layers - 1))] for i in range(layers)}
    if missing := sorted(set(layers) - set(present)):
        raise SettingsError(
            f"the monitor was asked for layer {missing[0]}; the model has the layers"
            f" {_spans(present)}."
        )
    return set(layers)


def _spans(numbers: list[int]) -> str:
    runs = [
        [number for _, number in run]
        for _, run in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0])
    ]
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)


def _require_whole(live: LiveParameter) -> None:
    tensor: Any = live.parameter
    if hasattr(tensor, "placements") or hasattr(tensor, "ds_id") or tensor.numel() == 0:
        raise _sharded(live.name)
    if not tensor.is_floating_point():
        raise SettingsError(
            f"{live.name} is stored as {tensor.dtype}: the monitor reads floating-point weights.\n"
            "  Train the adapter on a base that is not quantised."
        )
    if live.adapter is not None:
        _require_plain_lora(live)


def _sharded(what: str) -> SettingsError:
    return SettingsError(
        f"{what} is sharded over processes (FSDP or ZeRO-3); the monitor needs whole weights.\n"
        "  Measure the saved checkpoints instead: hodograph measure."
    )


def _require_plain_lora(live: LiveParameter) -> None:
    adapter, refused = live.adapter, None
    if not hasattr(adapter, "lora_A") or not hasattr(adapter, "get_delta_weight"):
        refused = f"a {type(adapter).__module__.rpartition('.')[0]} adapter"
    elif variants := getattr(adapter, "lora_variant", None):
        refused = type(next(iter(variants.values()))).__name__
    if refused is not None:
        raise SettingsError(
            f"{live.name} is under {refused}; the monitor merges plain LoRA (W + scale B A) only.\n"
            "  Merge and save checkpoints, then measure them: hodograph measure."
        )


def _with_adapters(adapter: Any, weights: Tensor) -> Tensor:
    """What merging would give, in a copy: PEFT's own delta of every active adapter."""
    merged = weights.clone()
    for name in adapter.active_adapters:
        if name in adapter.scaling and name not in adapter.merged_adapters:
            merged += adapter.get_delta_weight(name)
    return merged
