"""What each device holds while a recipe trains, by how the work is spread."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from hodograph.recipes import (
    Adapter,
    FrozenAAdapter,
    LoraAdapter,
    Recipe,
    VllmColocateGeneration,
)
from hodograph.training.folder import read_json
from hodograph.training.gpus import Gpu
from hodograph.training.interventions.subspace.basis import confinable, inputs_of, outputs_of
from hodograph.training.plan_model import BFLOAT16, FLOAT32, EmptyModel

ACTIVATIONS, SAMPLING = "activations of a micro-batch", "cache of sampling"
TURNS = (ACTIVATIONS, SAMPLING)  # never held at once


@dataclass(frozen=True)
class Layout:
    """The devices a plan is for.

    Attributes:
        processes: how many train, a device each.
        parallel: `ddp` holds everything on each, `fsdp2` a share of weights and optimizer.
        device_bytes: memory of a GPU; None plans for this machine's own device.
        gpu: what else is known of a GPU that is planned for by name.
    """

    processes: int = 1
    parallel: Literal["ddp", "fsdp2"] = "ddp"
    device_bytes: int | None = None
    gpu: Gpu | None = None

    @property
    def on_gpu(self) -> bool:
        """Whether GPUs are planned for."""
        return self.device_bytes is not None or torch.cuda.is_available()

    @property
    def total_bytes(self) -> int | None:
        """Memory of a GPU, if there is one to speak of."""
        if self.device_bytes is None and torch.cuda.is_available():
            return torch.cuda.get_device_properties(0).total_memory
        return self.device_bytes

    @property
    def shares(self) -> int:
        """Over how many devices a weight is spread."""
        return self.processes if self.parallel == "fsdp2" else 1


def memory_of(
    recipe: Recipe, layout: Layout, student: EmptyModel, teacher: EmptyModel | None, length: int
) -> dict[str, int]:
    """Bytes on each device by what they hold; `length` is the tokens of the longest sequence."""
    held = student.entries
    trained = held
    if recipe.adapter is not None:
        extra, trained = _adapter_entries(recipe.adapter, student)
        held += extra
    scored = 0 if teacher is None else teacher.entries
    batch = recipe.batch
    sequences = batch.sequences // (batch.accumulation * layout.processes)
    if batch.gradient_checkpointing:
        kept = student.kept_with_checkpointing(sequences, length)
    else:
        kept = student.passed(sequences, length).kept
    memory = {
        "weights, float32": FLOAT32 * held // layout.shares,
        "gradients, float32": FLOAT32 * trained // layout.shares,
        "Adam's moments, float32": 2 * FLOAT32 * trained // layout.shares,
        "teacher, float32": FLOAT32 * scored // layout.shares,
        **_computed(layout, [student, *([teacher] if teacher else [])], held + scored),
        ACTIVATIONS: kept,
        **_sampling(recipe, layout, student, length),
    }
    return {name: size for name, size in memory.items() if size}


def _computed(layout: Layout, models: list[EmptyModel], held: int) -> dict[str, int]:
    """Copies of the weights that are computed with.

    Autocast keeps one of every weight. FSDP2 gathers a layer and the next, besides the embedding
    and the head, and drops them again.
    """
    if layout.shares == 1:
        return {"bfloat16 copies of autocast": BFLOAT16 * held if layout.on_gpu else 0}
    gathered = max(_gathered(model) * model.width for model in models)
    return {"weights gathered at a time": gathered}


def _gathered(model: EmptyModel) -> int:
    layers = model.config.num_hidden_layers * model.layer_entries
    return model.entries - layers + 2 * model.layer_entries


def _sampling(recipe: Recipe, layout: Layout, student: EmptyModel, length: int) -> dict[str, int]:
    if not recipe.on_policy:
        return {}
    generation = recipe.generation
    if isinstance(generation, VllmColocateGeneration):
        share = generation.gpu_memory_utilization * (layout.total_bytes or 0)
        return {"vLLM: its weights and cache": int(share)}
    if generation.type == "vllm_server":
        return {}
    return {SAMPLING: student.cache(recipe.batch.sequences // layout.processes, length)}


def _adapter_entries(adapter: Adapter, student: EmptyModel) -> tuple[int, int]:
    """Weights that an adapter adds, and how many of them train."""
    scope = adapter.scope if isinstance(adapter, LoraAdapter) else "linear"
    shapes = {n: p.shape for n, p in confinable(student.module, scope).items()}
    outputs = sum(outputs_of(name, shape) for name, shape in shapes.items())
    inputs = sum(inputs_of(name, shape) for name, shape in shapes.items())
    if isinstance(adapter, FrozenAAdapter):
        rank = read_json(Path(adapter.path) / "adapter_config.json")["r"]
        return rank * (inputs + outputs), rank * outputs
    return adapter.rank * (inputs + outputs), adapter.rank * (inputs + outputs)
