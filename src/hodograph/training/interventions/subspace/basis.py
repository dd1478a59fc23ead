"""Where the basis of each matrix comes from.

A source is opened while the model still has its first weights, and asked at the switch.
M outputs, N inputs, K directions.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor, nn

from hodograph.checkpoints import Checkpoint, open_checkpoint
from hodograph.errors import CheckpointError, SettingsError
from hodograph.linalg.factor import factor
from hodograph.matrices.naming import role_of, unwrapped
from hodograph.matrices.pairing import Scope, in_scope
from hodograph.matrices.unfuse import blocks_of
from hodograph.recipes import NoBasis, OwnBasis, RandomBasis, RunBasis
from hodograph.tasks.task import stream_seed
from hodograph.training.sharded import whole

Bases = dict[str, Tensor]  # by parameter name, N x K with orthonormal columns, float64
Parameters = dict[str, nn.Parameter]  # as `confinable` names them
Source = Callable[[Parameters], Bases]  # asked with the weights as they are at the switch


def confinable(model: nn.Module, scope: Scope) -> Parameters:
    """The linear weights of a model's layers, by name.

    A fused tensor (q, k and v in one) is one weight here: its parts share their inputs.
    """
    config = getattr(getattr(model, "config", None), "to_dict", dict)()
    return {
        name: parameter
        for name, parameter in model.named_parameters()
        if is_linear(name, parameter.shape, config, scope)
    }


def is_linear(name: str, shape: Sequence[int], config: dict[str, Any], scope: Scope) -> bool:
    """Whether a stored tensor holds matrices of the scope, told by its name and shape."""
    blocks = blocks_of(name, tuple(shape), role_of(name), config)
    return any(in_scope(block, scope) for block in blocks)


def inputs_of(name: str, shape: Sequence[int]) -> int:
    """Number of inputs N of the linear layer whose weight has this name and stored shape."""
    return shape[0 if role_of(name).transposed else 1]


def outputs_of(name: str, shape: Sequence[int]) -> int:
    """Number of its outputs M."""
    return shape[1 if role_of(name).transposed else 0]


def right_subspace(update_MN: Float[Tensor, "M N"], rank: int) -> Float[Tensor, "N K"]:
    """The `rank` leading right singular vectors, fewer where the matrix has fewer."""
    if not update_MN.any():
        return update_MN.new_zeros(update_MN.shape[1], 0, dtype=torch.float64)
    factors = factor(update_MN.double().cpu(), rank)
    return factors.v_NK[:, : min(rank, factors.numerical_rank)]


def open_source(basis: OwnBasis | RunBasis | RandomBasis | NoBasis, weights: Parameters) -> Source:
    """Return what gives the bases of `weights` at the switch.

    A trainer may shard a model after this: the weights asked about are then other tensors.

    Args:
        basis: of the recipe; `InputsBasis` needs a model and is opened by `inputs`.
        weights: as `confinable` names them, with the values they have before training.

    Raises:
        SettingsError: a rank above the inputs of a matrix.
        CheckpointError: the other run cannot be read, or has other matrices.
    """
    if isinstance(basis, NoBasis):
        return lambda now: {
            name: torch.zeros(inputs_of(name, weight.shape), 0) for name, weight in now.items()
        }
    require_rank(basis.rank, {name: weight.shape for name, weight in weights.items()})
    if isinstance(basis, RandomBasis):
        return lambda now: _random(basis, now)
    if isinstance(basis, OwnBasis):
        first = {name: whole(weight).to("cpu", copy=True) for name, weight in weights.items()}
        return lambda now: _own(basis.rank, now, first)
    run = Path(basis.path) / "checkpoints"
    ends = open_checkpoint(run / "step_0"), open_checkpoint(run / f"step_{basis.step}")
    found = {
        name: right_subspace(stored_update(name, weight.shape, *ends), basis.rank)
        for name, weight in weights.items()
    }
    return lambda _: found


def stored_update(
    name: str, shape: Sequence[int], first: Checkpoint, last: Checkpoint
) -> Float[Tensor, "M N"]:
    """The update of a weight from one checkpoint to another, in float64, outputs x inputs.

    Raises:
        CheckpointError: one of them holds no such weight.
    """
    ends = [_read(checkpoint, name, tuple(shape)) for checkpoint in (first, last)]
    return _turned(name, ends[1] - ends[0])


def require_rank(rank: int, shapes: Mapping[str, Sequence[int]]) -> None:
    """Refuse more directions than a layer has inputs.

    Args:
        rank: K.
        shapes: stored shape of each weight, by name.

    Raises:
        SettingsError: there is such a layer, or there is no weight at all.
    """
    if not shapes:
        raise SettingsError(
            "no weight of this model is known as a linear layer's: there is nothing to confine."
        )
    inputs, name = min((inputs_of(name, shape), name) for name, shape in shapes.items())
    if rank > inputs:
        raise SettingsError(
            f"rank {rank}: {name} has {inputs} inputs only.\n"
            f"  Choose a rank below {inputs}; the paper takes 16."
        )


def agreed(bases: Bases) -> Bases:
    """The first process's bases, in every process: factorings may differ in their last bits."""
    if not (dist.is_available() and dist.is_initialized()):
        return bases
    box = [bases]
    dist.broadcast_object_list(box, src=0)
    return box[0]


def _random(basis: RandomBasis, weights: Parameters) -> Bases:
    out = {}
    for name, weight in weights.items():
        seed = stream_seed("random basis", basis.seed, unwrapped(name))
        generator = torch.Generator().manual_seed(seed)
        shape = (inputs_of(name, weight.shape), basis.rank)
        gaussian_NK = torch.randn(shape, generator=generator, dtype=torch.float64)
        out[name] = torch.linalg.qr(gaussian_NK).Q
    return out


def _own(rank: int, weights: Parameters, first: dict[str, Tensor]) -> Bases:
    return {
        name: right_subspace(_turned(name, whole(weight).cpu() - first[name]), rank)
        for name, weight in weights.items()
    }


def _turned(name: str, stored: Tensor) -> Float[Tensor, "M N"]:
    return stored.T if role_of(name).transposed else stored


def _read(checkpoint: Checkpoint, name: str, shape: tuple[int, ...]) -> Tensor:
    headers = {unwrapped(stored): header for stored, header in checkpoint.headers.items()}
    header = headers.get(unwrapped(name))
    if header is None or header.shape != shape:
        has = f"shape {header.shape}" if header else "no such tensor"
        raise CheckpointError(
            f"{checkpoint.path}: {name} has shape {shape} here, {has} there.\n"
            "  A basis comes from a run of the same model."
        )
    return checkpoint.read(header.name).double()
