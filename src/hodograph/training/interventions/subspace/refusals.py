"""What a subspace constraint cannot be right under, refused with the reason."""

from torch import nn
from torch.distributed.fsdp import FullyShardedDataParallel
from torch.distributed.tensor import DTensor, Shard
from transformers import Trainer

from accelerate import DistributedType
from hodograph.errors import SettingsError
from hodograph.matrices.naming import role_of
from hodograph.training.models import require_float32_masters
from hodograph.training.sharded import is_sharded


def require_confinable(model: nn.Module, weights: dict[str, nn.Parameter]) -> None:
    """Refuse weights whose rows are not whole where they are, or that cannot hold small steps.

    Raises:
        SettingsError: FSDP1, weights sharded along their inputs, or not float32.
    """
    if any(isinstance(module, FullyShardedDataParallel) for module in model.modules()):
        raise SettingsError(
            "FSDP1 flattens gradients, so a matrix cannot be projected: use FSDP2 (fully_shard)."
        )
    require_float32_masters(model)
    for name, weight in weights.items():
        rows = 1 if role_of(name).transposed else 0
        if isinstance(weight, DTensor) and weight.placements != (Shard(rows),):
            raise SettingsError(
                f"{name} is placed as {weight.placements}: its inputs are spread over processes,\n"
                "  so a projection of the inputs is not local. Shard the outputs, on one mesh axis."
            )


def require_saved_coordinates(model: nn.Module) -> None:
    """Refuse a trainer that could not save the state of coordinates: FSDP2's, by weights' names.

    Raises:
        SettingsError: the model is sharded.
    """
    if is_sharded(model):
        raise SettingsError(
            "subspace.mode 'adam_in_subspace' takes the weights out of the optimizer, whose state\n"
            "  FSDP2 saves by their names: train in plain data parallel, or train the same thing\n"
            "  as an adapter (hodograph adapt, adapter.type 'frozen_a')."
        )


def require_plain_gradients(trainer: Trainer) -> None:
    """Refuse engines that keep gradients and optimizer state in flat buffers of their own.

    Raises:
        SettingsError: DeepSpeed or FSDP1.
    """
    accelerator = trainer.accelerator
    if accelerator.distributed_type == DistributedType.DEEPSPEED:
        raise SettingsError(
            "DeepSpeed keeps gradients in flat buffers, so a matrix cannot be projected:\n"
            "  train with [subspace] in plain data parallel or FSDP2."
        )
    if accelerator.distributed_type == DistributedType.FSDP and not accelerator.is_fsdp2:
        raise SettingsError(
            "FSDP1 flattens gradients, so a matrix cannot be projected: set fsdp_version 2."
        )
