"""One matrix at one checkpoint as it is stored: its weights, its update, FP8's spacing.

M rows, N columns.
"""

import torch
from torch import Tensor

from hodograph.checkpoints import Checkpoint, Trajectory
from hodograph.checkpoints.source import FP8
from hodograph.matrices.pairing import Parameter
from hodograph.matrices.unfuse import Block
from hodograph.matrices.update import Update, joint_storage, storage_name, stored_update


def matrix_at(checkpoint: Checkpoint, name: str, block: Block) -> Tensor:
    """The weights of one matrix as stored; infinite where they exceed float32, as computed with."""
    matrix_MN = block.of(checkpoint.read(name))
    if matrix_MN.dtype is not torch.float64:
        return matrix_MN
    return matrix_MN.masked_fill(matrix_MN.float().isinf(), torch.inf)


def update_at(
    parameter: Parameter,
    block: Block,
    trajectory: Trajectory,
    index: int,
    base_MN: Tensor,
    tuned_MN: Tensor,
) -> Update:
    """The update of one matrix to one checkpoint, with what its storage is known to have done.

    An adapter's update is its product, which FP8 storage of W0 does not touch.

    Args:
        parameter: the stored tensor.
        block: the matrix in it.
        trajectory: the checkpoints.
        index: of the tuned checkpoint.
        base_MN: W0, as read.
        tuned_MN: W1, as read.
    """
    tuned, name = trajectory.tuned[index], parameter.tuned_names[index]
    product = tuned.product(name)
    if product is not None:
        return stored_update(base_MN, tuned_MN, block.of_product(product))
    return Update(
        base_MN.float(),
        tuned_MN.float(),
        storage_at(parameter, trajectory, index, base_MN, tuned_MN),
        base_fp8=_squared_spacing(trajectory.base, parameter.name, block),
        tuned_fp8=_squared_spacing(tuned, name, block),
    )


def storage_at(
    parameter: Parameter, trajectory: Trajectory, index: int, base_MN: Tensor, tuned_MN: Tensor
) -> str:
    """Name of the storage of a parameter in W0 and one checkpoint together."""
    if trajectory.tuned[index].product(parameter.tuned_names[index]) is not None:
        return storage_name(base_MN, tuned_MN)
    return joint_storage(
        _storage(trajectory.base, parameter.name, base_MN),
        _storage(trajectory.tuned[index], parameter.tuned_names[index], tuned_MN),
    )


def _storage(checkpoint: Checkpoint, name: str, weights_MN: Tensor) -> str:
    """The stored dtype; that of the tensor is another where FP8 was dequantised."""
    read = str(weights_MN.dtype).removeprefix("torch.")
    return FP8.get(checkpoint.headers[name].dtype, read)


def _squared_spacing(checkpoint: Checkpoint, name: str, block: Block) -> float | None:
    spacing = checkpoint.spacing(name)
    return None if spacing is None else float(block.of(spacing).double().square().sum())
