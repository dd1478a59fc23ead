"""A model without weights, on torch's meta device: what one micro-batch of it keeps and computes.

Shapes: B sequences, T tokens.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoConfig, AutoModelForCausalLM, PretrainedConfig

FLOAT32, BFLOAT16 = 4, 2
EXPERTS = torch.ops.aten._grouped_mm  # the product of tokens with their experts, in bfloat16 alone


@dataclass(frozen=True)
class Pass:
    """One micro-batch.

    Attributes:
        kept: bytes that autograd keeps for the backward pass.
        forward: floating-point operations forward.
        both: forward and backward.
        started: operations that PyTorch starts forward, views aside.
        started_both: forward and backward.
    """

    kept: int
    forward: float
    both: float
    started: int
    started_both: int


class EmptyModel:
    """A model's shapes.

    Args:
        config: of a causal language model.
        on_gpu: whether it computes in bfloat16.
    """

    def __init__(self, config: PretrainedConfig, on_gpu: bool) -> None:
        self.config = config
        self.width = BFLOAT16 if on_gpu else FLOAT32
        self._on_gpu = on_gpu
        self._passes: dict[tuple[int, int], Pass] = {}

    @cached_property
    def module(self) -> nn.Module:
        """The model on the meta device."""
        return _empty(self.config, self._on_gpu)

    @property
    def entries(self) -> int:
        """Number of its weights."""
        return sum(parameter.numel() for parameter in self.module.parameters())

    @cached_property
    def layer_entries(self) -> int:
        """Number of weights of one decoder layer, the first."""
        return self._shallow(2).entries - self._shallow(1).entries

    def passed(self, sequences: int, length: int) -> Pass:
        """Count one micro-batch of `sequences` x `length` tokens."""
        if (sequences, length) not in self._passes:
            self._passes[sequences, length] = self._counted(sequences, length)
        return self._passes[sequences, length]

    def kept_with_checkpointing(self, sequences: int, length: int) -> int:
        """Bytes kept where each layer keeps its input alone, and one layer at a time the rest."""
        inputs = sequences * length * self.config.hidden_size * self.width
        single = self._shallow(1).passed(sequences, length).kept
        return single + self.config.num_hidden_layers * inputs

    def cache(self, sequences: int, length: int) -> int:
        """Bytes of keys and values of every layer, for all sequences sampled at once."""
        config = self.config
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        return 2 * config.num_hidden_layers * heads * size * sequences * length * self.width

    def _counted(self, sequences: int, length: int) -> Pass:
        model = self.module
        weights = {_storage(parameter) for parameter in model.parameters()}
        kept: dict[int, Tensor] = {}

        def keep(tensor: Tensor) -> Tensor:
            if _storage(tensor) not in weights:
                kept[_storage(tensor)] = tensor
            return tensor

        ids_BT = torch.zeros(sequences, length, dtype=torch.long, device="meta")
        seen = torch.ones(sequences, 1, length, length, dtype=torch.bool, device="meta")
        counter = FlopCounterMode(display=False, custom_mapping={EXPERTS: _experts_product})
        with (
            saved_tensors_hooks(keep, lambda tensor: tensor),
            counter as count,
            _Starts() as starts,
        ):
            logits_BTV = model(input_ids=ids_BT, attention_mask=seen, use_cache=False).logits
            loss = logits_BTV.float().log_softmax(-1)[..., 0].sum()
            forward, started = count.get_total_flops(), starts.count
            loss.backward()
        size = sum(self._bytes(tensor) for tensor in kept.values())
        return Pass(size, forward, count.get_total_flops(), started, starts.count)

    def _bytes(self, tensor: Tensor) -> int:
        """Bytes of a tensor's storage; bfloat16 stands for float32 where there is no GPU."""
        widened = tensor.dtype == torch.bfloat16 and not self._on_gpu
        return tensor.untyped_storage().nbytes() * (FLOAT32 // BFLOAT16 if widened else 1)

    def _shallow(self, layers: int) -> "EmptyModel":
        """The same model with fewer layers."""
        tree = self.config.to_dict() | {"num_hidden_layers": layers}
        if tree.get("layer_types"):
            tree["layer_types"] = tree["layer_types"][:layers]
        return EmptyModel(AutoConfig.for_model(**tree), self._on_gpu)


class _Starts(TorchDispatchMode):
    """Counts what would be started on a device: every operation but views."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += not func.is_view
        return func(*args, **(kwargs or {}))


def _empty(config: PretrainedConfig, on_gpu: bool) -> nn.Module:
    experts = hasattr(config, "num_experts") or hasattr(config, "num_local_experts")
    dtype = torch.bfloat16 if experts or on_gpu else torch.float32
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config, dtype=dtype)


def _experts_product(first: torch.Size, second: torch.Size, *_: object, **__: object) -> int:
    """Operations of a grouped product, (tokens, m) with (experts, m, n) or its two gradients."""
    return 2 * first[-2] * first[-1] * second[-1]


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata
