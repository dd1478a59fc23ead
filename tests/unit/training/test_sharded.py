"""What FSDP2 rounds, and what it does not."""

from types import SimpleNamespace
from typing import Any

import torch

from accelerate import FullyShardedDataParallelPlugin
from hodograph.training.sharded import is_sharded, keep_float32, whole


def test_gradients_are_added_in_float32_and_outputs_left_alone() -> None:
    plugin = FullyShardedDataParallelPlugin(fsdp_version=2)
    plugin.set_mixed_precision("bf16")
    assert plugin.mixed_precision_policy.output_dtype == torch.bfloat16  # accelerate's own
    accelerator: Any = SimpleNamespace(state=SimpleNamespace(fsdp_plugin=plugin))
    keep_float32(accelerator)
    policy = plugin.mixed_precision_policy
    assert policy.param_dtype == torch.bfloat16
    assert (policy.reduce_dtype, policy.output_dtype) == (torch.float32, None)


def test_without_fsdp2_nothing_is_touched_and_a_tensor_is_whole() -> None:
    alone: Any = SimpleNamespace(state=SimpleNamespace())
    keep_float32(alone)
    layer = torch.nn.Linear(2, 3)
    assert not is_sharded(layer)
    assert torch.equal(whole(layer.weight), layer.weight)
    assert not whole(layer.weight).requires_grad
