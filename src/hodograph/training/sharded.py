"""Models of which each process may hold a part (FSDP2): made whole, and rounded no more."""

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from accelerate import Accelerator


def whole(tensor: Tensor) -> Tensor:
    """The full tensor, without its graph; every process that holds a part must ask for it."""
    detached = tensor.detach()
    return detached.full_tensor() if isinstance(detached, DTensor) else detached


def is_sharded(model: nn.Module) -> bool:
    """Whether this process holds a part only of the model's weights."""
    return any(isinstance(parameter, DTensor) for parameter in model.parameters())


def keep_float32(accelerator: Accelerator) -> None:
    """Let FSDP2 add gradients over processes in float32, and leave what a model returns as it is.

    Of mixed precision accelerate asks for both in bfloat16, which would round log-probabilities
    to two digits. Call it before a model is prepared; without FSDP2 it does nothing.
    """
    plugin = getattr(accelerator.state, "fsdp_plugin", None)
    if plugin is not None and plugin.mixed_precision_policy is not None:
        plugin.mixed_precision_policy = replace(
            plugin.mixed_precision_policy, reduce_dtype=torch.float32, output_dtype=None
        )
