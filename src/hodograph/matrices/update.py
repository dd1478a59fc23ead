"""An update: one matrix before and after, as one storage shows it."""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from hodograph.checkpoints.product import Product
from hodograph.matrices.precision import on_bfloat16_grid, to_bfloat16


@dataclass(frozen=True)
class Update:
    """W0 and W1 of one matrix; M rows (outputs), N columns (inputs).

    Attributes:
        base_MN: W0 in float32, as `storage` shows it.
        tuned_MN: W1 in float32, as `storage` shows it.
        storage: name of the dtype, "float32" or "bfloat16" for instance.
        base_rounded: whether this storage rounded W0 (W0 was not on its grid).
        product: factors of D, where it is known as a product of thin matrices: LoRA's s B A.
    """

    base_MN: Float[Tensor, "M N"]
    tuned_MN: Float[Tensor, "M N"]
    storage: str
    base_rounded: bool = False
    product: Product | None = None

    @cached_property
    def difference_MN(self) -> Float[Tensor, "M N"]:
        """D = W1 - W0, formed in float32, held in float64; the product itself where it is one."""
        if self.product is not None:
            return self.product.dense()
        return (self.tuned_MN - self.base_MN).double()

    @cached_property
    def norm(self) -> float:
        """‖D‖_F."""
        return float(torch.linalg.vector_norm(self.difference_MN))

    def on(self, device: torch.device) -> "Update":
        """The same matrices on a device; itself where that is the CPU, where updates are made."""
        if device.type == "cpu":
            return self
        base_MN, tuned_MN = self.base_MN.to(device), self.tuned_MN.to(device)
        product = None if self.product is None else self.product.on(device)
        return Update(base_MN, tuned_MN, self.storage, self.base_rounded, product)

    def in_bfloat16(self) -> "Update":
        """What bfloat16 storage would show of the same two matrices."""
        return Update(
            to_bfloat16(self.base_MN),
            to_bfloat16(self.tuned_MN),
            "bfloat16",
            base_rounded=not on_bfloat16_grid(self.base_MN),
        )


def stored_update(base_MN: Tensor, tuned_MN: Tensor, product: Product | None = None) -> Update:
    """The update as stored, or as its factors give it."""
    storage = storage_name(base_MN, tuned_MN)
    return Update(base_MN.float(), tuned_MN.float(), storage, product=product)


def product_between(later: Update, earlier: Update) -> Product | None:
    """The factors of what lies between two updates, where both are products."""
    if later.product is None or earlier.product is None:
        return None
    return later.product.minus(earlier.product)


def storage_name(base_MN: Tensor, tuned_MN: Tensor) -> str:
    """Name of the storage two tensors are in; two dtypes are named by the wider one."""
    wider = torch.promote_types(base_MN.dtype, tuned_MN.dtype)
    return str(wider).removeprefix("torch.")
