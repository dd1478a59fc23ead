"""Matrices of a pair of stored checkpoints, one at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from hodograph.checkpoints import Trajectory, open_trajectory
from hodograph.engine.stored import matrix_at
from hodograph.matrices.pairing import Parameter, pair
from hodograph.matrices.unfuse import Block


@dataclass(frozen=True)
class StoredMatrix:
    """One linear matrix of both checkpoints, read when it is asked for."""

    trajectory: Trajectory
    parameter: Parameter
    block: Block

    @property
    def layer(self) -> int | None:
        """The layer it is in."""
        return self.parameter.role.layer

    @property
    def module(self) -> str:
        """The module it is, as `q_proj`."""
        return self.block.module

    def read(self) -> tuple[Tensor, Tensor]:
        """W0 and W1 as stored."""
        start, (end,) = self.trajectory.base, self.trajectory.tuned
        names = self.parameter.name, self.parameter.tuned_names[0]
        return matrix_at(start, names[0], self.block), matrix_at(end, names[1], self.block)


def stored_matrices(base: Path, tuned: Path) -> Iterator[StoredMatrix]:
    """Every linear matrix of a pair of checkpoints, in the order of their names."""
    trajectory = open_trajectory(base, [tuned], None)
    parameters, _ = pair(trajectory, "linear", "error")
    for parameter in sorted(parameters, key=lambda one: one.name):
        for block in parameter.blocks:
            yield StoredMatrix(trajectory, parameter, block)
