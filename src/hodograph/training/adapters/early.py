"""`hodograph adapt`: from the early subspace of a run to an adapter that trains inside it.

M outputs, N inputs, K directions.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float
from safetensors.torch import save_file
from torch import Tensor

from hodograph.atomic import write_json
from hodograph.checkpoints import Checkpoint, open_checkpoint
from hodograph.errors import CheckpointError, SettingsError
from hodograph.matrices.naming import role_of
from hodograph.recipes import PathModel, parse_recipe
from hodograph.tasks import open_task
from hodograph.training.adapters.peft_extra import require_peft
from hodograph.training.folder import RunFolder, appearing_whole, read_json
from hodograph.training.interventions.subspace.basis import (
    Bases,
    confinable,
    is_linear,
    outputs_of,
    require_rank,
    right_subspace,
    stored_update,
)
from hodograph.training.interventions.subspace.inputs import input_bases
from hodograph.training.models import open_model, open_tokenizer

REPORT = "hodograph_adapter.json"
EXAMPLES = 256  # read for an input basis
OnMatrix = Callable[[int, int], None]  # (matrices done, matrices)


@dataclass(frozen=True)
class EarlySubspace:
    """V_K of one matrix, and how much of its early update D lies inside: ‖D V_K‖² and ‖D‖²."""

    v_NK: Float[Tensor, "N K"]
    inside: float
    whole: float

    @property
    def share(self) -> float | None:
        """‖D V_K‖² / ‖D‖²; None where D is zero."""
        return self.inside / self.whole if self.whole else None


@dataclass(frozen=True)
class EarlyAdapter:
    """An adapter on disk.

    Attributes:
        path: its folder.
        base: the checkpoint it belongs to, W_S.
        matrices: number of matrices that it moves.
        trained: entries of B, which train.
        weights: entries of the matrices, which would train without it.
        update_energy: share of the energy of W_S - W0, over the matrices, inside span V_K; None
            where that update is zero.
    """

    path: Path
    base: Path
    matrices: int
    trained: int
    weights: int
    update_energy: float | None


def adapt(
    run: Path,
    at_step: int,
    rank: int,
    out: Path,
    *,
    basis: Literal["own", "inputs"] = "own",
    on_matrix: OnMatrix = lambda done, total: None,
) -> EarlyAdapter:
    """Write a LoRA adapter W_S + B A with A = V_Kᵀ and B = 0, scale 1, in PEFT's layout.

    S is `at_step` and V_K the leading right singular vectors of W_S - W0 (`own`), or the leading
    eigenvectors of the second moment of the layer's inputs in W_S (`inputs`, for which S may be
    0). Trained with A fixed (`freeze_a`, or a recipe's [adapter]) the weights go on inside
    span V_K, with K numbers of optimizer state for every N. Rows of A beyond the directions that
    a matrix has are 0.

    Args:
        run: a run folder with checkpoints at steps 0 and S.
        at_step: S.
        rank: K.
        out: folder to write; it appears whole.
        basis: `own` or `inputs`.
        on_matrix: called after each matrix.

    Raises:
        SettingsError: no subspace at that step, a rank above a layer's inputs, `out` holds
            something, or PEFT is missing.
        CheckpointError: the run or its checkpoint cannot be read.
    """
    require_peft()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise SettingsError(f"{out} is there already: choose another --out.")
    folder = RunFolder(run)
    first, base = (open_checkpoint(_checkpoint(folder, step)) for step in (0, at_step))
    shapes = _linear_shapes(base)
    require_rank(rank, shapes)
    inputs = _input_bases(folder, base, rank) if basis == "inputs" else {}
    found: dict[str, EarlySubspace] = {}
    for name, shape in shapes.items():
        update_MN = stored_update(name, shape, first, base)
        v_NK = inputs[name] if name in inputs else right_subspace(update_MN, rank)
        found[name] = EarlySubspace(v_NK, *_energies(update_MN, v_NK))
        on_matrix(len(found), len(shapes))
    found = {name: subspace for name, subspace in found.items() if subspace.v_NK.shape[1]}
    if not found:
        raise SettingsError(
            f"{base.path}: its weights are those of step 0, so there is no early update.\n"
            "  Name a later step, or --basis inputs."
        )
    shapes = {name: shapes[name] for name in found}
    with appearing_whole(out) as partial:
        _write_adapter(partial, base, found, shapes, rank)
        _write_report(partial, base, found, {"run": str(run), "step": at_step, "basis": basis})
    return _described(out, base, found, shapes, rank)


def _energies(update_MN: Tensor, v_NK: Tensor) -> tuple[float, float]:
    return float((update_MN @ v_NK).square().sum()), float(update_MN.square().sum())


def _checkpoint(folder: RunFolder, step: int) -> Path:
    path = folder.checkpoint(step)
    if not path.is_dir():
        found = folder.checkpoints.glob("step_*[0-9]")
        kept = sorted(int(child.name.removeprefix("step_")) for child in found)
        raise CheckpointError(
            f"{folder.path}: no checkpoint of step {step} in it.\n"
            f"  Kept are steps {', '.join(map(str, kept)) or 'none: it is no run folder'}."
        )
    return path


def _linear_shapes(checkpoint: Checkpoint) -> dict[str, tuple[int, ...]]:
    return {
        name: header.shape
        for name, header in checkpoint.headers.items()
        if is_linear(name, header.shape, checkpoint.config, "linear")
    }


def _input_bases(folder: RunFolder, base: Checkpoint, rank: int) -> Bases:
    recipe = parse_recipe(read_json(folder.recipe), str(folder.recipe))
    examples = open_task(recipe.task).training(recipe.seed, EXAMPLES)
    settings = PathModel(type="path", path=str(base.path))
    model, tokenizer = open_model(settings, recipe.seed), open_tokenizer(settings)
    return input_bases(model, tokenizer, confinable(model, "linear"), examples, rank)


def _write_adapter(
    folder: Path,
    base: Checkpoint,
    found: dict[str, EarlySubspace],
    shapes: dict[str, tuple[int, ...]],
    rank: int,
) -> None:
    from peft import LoraConfig

    tensors = {}
    for name, subspace in found.items():
        a_KN = torch.zeros(rank, subspace.v_NK.shape[0])
        a_KN[: subspace.v_NK.shape[1]] = subspace.v_NK.T
        key = f"base_model.model.{name.removesuffix('.weight')}"
        tensors[f"{key}.lora_A.weight"] = a_KN
        tensors[f"{key}.lora_B.weight"] = torch.zeros(outputs_of(name, shapes[name]), rank)
    save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    LoraConfig(
        base_model_name_or_path=str(base.path.resolve()),
        task_type="CAUSAL_LM",
        r=rank,
        lora_alpha=rank,  # PEFT scales by alpha / r
        target_modules=[name.removesuffix(".weight") for name in found],
        fan_in_fan_out=any(role_of(name).transposed for name in found),
        inference_mode=True,
    ).save_pretrained(str(folder))


def _write_report(
    folder: Path, base: Checkpoint, found: dict[str, EarlySubspace], origin: dict[str, Any]
) -> None:
    write_json(
        folder / REPORT,
        {
            **origin,
            "base": str(base.path.resolve()),
            "base_digest": base.digest(),
            "matrices": {
                name: {"directions": early.v_NK.shape[1], "update_energy": early.share}
                for name, early in found.items()
            },
        },
    )


def _described(
    out: Path,
    base: Checkpoint,
    found: dict[str, EarlySubspace],
    shapes: dict[str, tuple[int, ...]],
    rank: int,
) -> EarlyAdapter:
    whole = sum(early.whole for early in found.values())
    inside = sum(early.inside for early in found.values())
    return EarlyAdapter(
        path=out,
        base=base.path,
        matrices=len(found),
        trained=sum(outputs_of(name, shape) * rank for name, shape in shapes.items()),
        weights=sum(torch.Size(shape).numel() for shape in shapes.values()),
        update_energy=inside / whole if whole else None,
    )
