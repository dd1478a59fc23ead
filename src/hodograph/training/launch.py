"""Whether a recipe can be trained as it was launched: engine, and division over processes."""

import os

import torch

from accelerate import DistributedType, PartialState
from hodograph.errors import SettingsError
from hodograph.recipes import Recipe
from hodograph.world import World

FSDP_REFUSED = {  # accelerate's switches, and what to do instead
    "FSDP_CPU_RAM_EFFICIENT_LOADING": (
        "fsdp_cpu_ram_efficient_loading",
        "every process reads the first weights, which adapters and bases are made from",
    ),
    "FSDP_ACTIVATION_CHECKPOINTING": (
        "fsdp_activation_checkpointing",
        "the recipe's batch.gradient_checkpointing does that without renaming weights",
    ),
}


def require_launch(recipe: Recipe, world: World) -> None:
    """Refuse ways to start that would train something else than the recipe says.

    Raises:
        SettingsError: several GPUs for one process, an engine that is not trained with, or a batch
            that does not divide over the processes.
    """
    if world.size > 1:
        _require_engine(world)
    elif torch.cuda.device_count() > 1:
        raise SettingsError(
            "training uses one GPU a process: choose it with CUDA_VISIBLE_DEVICES=0, or start\n"
            "  several processes (docs/guides/distributed.md)."
        )
    require_division(recipe, world.size)


def _require_engine(world: World) -> None:
    if _switched_on("ACCELERATE_USE_DEEPSPEED") or _switched_on("ACCELERATE_USE_MEGATRON_LM"):
        raise SettingsError(
            "training runs in plain data parallel or under FSDP2, not DeepSpeed or Megatron-LM:\n"
            "  start it with examples/accelerate/ddp.yaml or examples/accelerate/fsdp2.yaml."
        )
    if not world.sharded:
        return
    if os.environ.get("FSDP_VERSION") != "2":
        raise SettingsError("FSDP1 is not trained with: set fsdp_version: 2.")
    if not shards():
        raise SettingsError(
            "accelerate shards no model on CPUs, and would train plain data parallel instead:\n"
            "  start it with examples/accelerate/ddp.yaml."
        )
    for name, (key, reason) in FSDP_REFUSED.items():
        if _switched_on(name):
            raise SettingsError(f"set {key}: false; {reason}.")


def shards() -> bool:
    """Whether accelerate shards models here: it does on accelerators only."""
    state = PartialState(cpu=not torch.cuda.is_available())
    return state.distributed_type is not DistributedType.MULTI_CPU


def require_division(recipe: Recipe, processes: int) -> None:
    """Refuse a batch that does not divide over the processes.

    Raises:
        SettingsError: it does not.
    """
    batch = recipe.batch
    if recipe.on_policy and batch.prompts % processes:
        raise SettingsError(
            f"batch.prompts ({batch.prompts}) do not divide over {processes} processes:"
            " the answers to a prompt stay on one."
        )
    if batch.sequences % (processes * batch.accumulation):
        raise SettingsError(
            f"the {batch.sequences} sequences of a step do not divide into"
            f" {batch.accumulation} micro-batches on each of {processes} processes:"
            " change batch.prompts or batch.accumulation."
        )
    shared = getattr(recipe.generation, "tensor_parallel", 1)
    if processes % shared:
        raise SettingsError(
            f"generation.tensor_parallel ({shared}) does not divide the {processes} processes."
        )


def _switched_on(name: str) -> bool:
    return os.environ.get(name, "false").lower() == "true"
