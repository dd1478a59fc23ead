"""One matrix and the subspace of its inputs that it may move in.

M outputs (of this process, where rows are sharded), N inputs, K directions.
"""

from dataclasses import dataclass

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from hodograph.matrices.naming import role_of


def local(tensor: Tensor) -> Tensor:
    """This process's part of a tensor, sharing its memory; the tensor itself if not sharded."""
    detached = tensor.detach()
    return detached.to_local() if isinstance(detached, DTensor) else detached


def like(part: Tensor, weight: Tensor, columns: int) -> Tensor:
    """`part` as a tensor spread over processes as the rows of `weight` are."""
    if not isinstance(weight, DTensor):
        return part
    shape = torch.Size((weight.shape[0], columns))
    return DTensor.from_local(
        part, weight.device_mesh, weight.placements, shape=shape, stride=(columns, 1)
    )


def summed(value: Tensor, weight: Tensor) -> Tensor:
    """A sum over entries of this process's part, made one over the whole of `weight`."""
    if isinstance(weight, DTensor):
        dist.all_reduce(value, group=weight.device_mesh.get_group())
    return value


@dataclass(frozen=True, eq=False)
class ConfinedMatrix:
    """A weight W of shape M x N that may leave W_s, its value at the switch, by X Vᵀ alone.

    Attributes:
        name: of the parameter.
        weight: the parameter; `transposed` says that it is stored as N x M (GPT-2's Conv1D).
        v_NK: orthonormal columns.
        origin_MN: W_s.
    """

    name: str
    weight: nn.Parameter
    transposed: bool
    v_NK: Float[Tensor, "N K"]
    origin_MN: Float[Tensor, "M N"]

    def turned(self, stored: Tensor) -> Float[Tensor, "M N"]:
        """A tensor stored as the weight is, as outputs x inputs; a view of it."""
        part = local(stored)
        return part.T if self.transposed else part

    @property
    def weight_MN(self) -> Float[Tensor, "M N"]:
        """W, sharing its memory."""
        return self.turned(self.weight)

    @property
    def gradient_MN(self) -> Float[Tensor, "M N"] | None:
        """The gradient, sharing its memory; None where there is none."""
        return None if self.weight.grad is None else self.turned(self.weight.grad)

    def coordinates(self, matrix_MN: Float[Tensor, "M N"]) -> Float[Tensor, "M K"]:
        """X V: what of each row lies in the subspace, in its K coordinates."""
        return matrix_MN @ self.v_NK

    def spread(self, coordinates_MK: Float[Tensor, "M K"]) -> Float[Tensor, "M N"]:
        """B Vᵀ: the rows that have these coordinates."""
        return coordinates_MK @ self.v_NK.T

    def projected(self, matrix_MN: Float[Tensor, "M N"]) -> Float[Tensor, "M N"]:
        """X V Vᵀ."""
        return self.spread(self.coordinates(matrix_MN))

    def energies(self, matrix_MN: Float[Tensor, "M N"]) -> Float[Tensor, " 2"]:
        """‖X - X V Vᵀ‖²_F and ‖X‖²_F, over all processes that hold rows of it.

        The outside, not the inside: it tells a leak of 1e-12 from none in float32.
        """
        outside = (matrix_MN - self.projected(matrix_MN)).square().sum()
        return summed(torch.stack([outside, matrix_MN.square().sum()]), self.weight)


def confined(
    weights: dict[str, nn.Parameter],
    bases: dict[str, Tensor],
    origins: dict[str, Tensor] | None = None,
) -> list[ConfinedMatrix]:
    """Weights with their bases, on the weights' devices, in float32.

    Args:
        weights: by parameter name.
        bases: of those that are confined.
        origins: W_s, outputs x inputs; what the weights are now when left out.
    """
    matrices = []
    for name in [name for name in weights if name in bases]:  # one order, whatever was stored
        weight, transposed = weights[name], role_of(name).transposed
        part = local(weight)
        origin_MN = (part.T if transposed else part).clone() if origins is None else origins[name]
        # rows first, as they are stored: products of another layout round otherwise
        v_NK, w_s_MN = bases[name].to(part).contiguous(), origin_MN.to(part).contiguous()
        matrices.append(ConfinedMatrix(name, weight, transposed, v_NK, w_s_MN))
    return matrices
