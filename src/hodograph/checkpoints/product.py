"""A change of a stored matrix that is known as the product of two thin ones, as LoRA's B A.

M rows, N columns of the matrix, R inner dimension.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class Product(NamedTuple):
    """left @ right, in float64, with any scale already in left."""

    left_MR: Float[Tensor, "M R"]
    right_RN: Float[Tensor, "R N"]

    def dense(self) -> Float[Tensor, "M N"]:
        """The matrix itself."""
        return self.left_MR @ self.right_RN

    def minus(self, other: "Product") -> "Product":
        """The difference of two products, with the sum of their inner dimensions."""
        left_MR = torch.cat([self.left_MR, -other.left_MR], dim=1)
        return Product(left_MR, torch.cat([self.right_RN, other.right_RN]))

    def turned(self) -> "Product":
        """The transposed matrix."""
        return Product(self.right_RN.T, self.left_MR.T)

    def on(self, device: torch.device) -> "Product":
        """The same factors on a device."""
        return Product(self.left_MR.to(device), self.right_RN.to(device))
