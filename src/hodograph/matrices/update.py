"""An update: one matrix before and after, as one storage shows it."""

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from hodograph.checkpoints.product import Product
from hodograph.matrices.precision import on_bfloat16_grid, squared_ulps, to_bfloat16


@dataclass(frozen=True)
class Update:
    """W0 and W1 of one matrix; M rows (outputs), N columns (inputs).

    Attributes:
        base_MN: W0 in float32, as `storage` shows it.
        tuned_MN: W1 in float32, as `storage` shows it.
        storage: name of the dtype, "float32" or "bfloat16" for instance.
        base_rounded: whether this storage rounded W0 (W0 was not on its grid).
        product: factors of D, where it is known as a product of thin matrices: LoRA's s B A.
        base_fp8: sum over W0's entries of the squared spacing of FP8 numbers there, scale included;
            None where W0 is not stored in FP8.
        tuned_fp8: the same of W1.
    """

    base_MN: Float[Tensor, "M N"]
    tuned_MN: Float[Tensor, "M N"]
    storage: str
    base_rounded: bool = False
    product: Product | None = None
    base_fp8: float | None = None
    tuned_fp8: float | None = None

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

    @property
    def eight_bit(self) -> bool:
        """Whether W0 or W1 is stored in FP8."""
        return self.base_fp8 is not None or self.tuned_fp8 is not None

    @cached_property
    def tuned_grid(self) -> str:
        """Name of the dtype W1 was last rounded to, where that is not FP8.

        Weights that all lie on the bfloat16 grid were rounded to it, whatever stores them now.
        """
        if on_bfloat16_grid(self.tuned_MN):
            return "bfloat16"
        return "float32" if self.storage.startswith("float8") else self.storage

    @cached_property
    def tuned_spacing(self) -> float:
        """Sum over W1's entries of the squared spacing of the numbers it was rounded to."""
        if self.tuned_fp8 is not None:
            return self.tuned_fp8
        return squared_ulps(self.tuned_MN, self.tuned_grid)

    @cached_property
    def base_spacing(self) -> float:
        """The same of W0, where this storage or FP8 rounded it; else 0."""
        if self.base_fp8 is not None:
            return self.base_fp8
        return squared_ulps(self.base_MN, self.tuned_grid) if self.base_rounded else 0.0

    def on(self, device: torch.device, base_MN: Float[Tensor, "M N"]) -> "Update":
        """The same matrices on a device where W0 lies already."""
        product = None if self.product is None else self.product.on(device)
        return replace(self, base_MN=base_MN, tuned_MN=self.tuned_MN.to(device), product=product)

    def in_bfloat16(self) -> "Update":
        """What bfloat16 storage would show of the same two matrices."""
        return Update(
            to_bfloat16(self.base_MN),
            to_bfloat16(self.tuned_MN),
            "bfloat16",
            base_rounded=not on_bfloat16_grid(self.base_MN),
            base_fp8=self.base_fp8,
            tuned_fp8=self.tuned_fp8,
        )


def stored_update(base_MN: Tensor, tuned_MN: Tensor, product: Product | None = None) -> Update:
    """The update as the dtypes of two tensors tell, or as its factors give it."""
    storage = storage_name(base_MN, tuned_MN)
    return Update(base_MN.float(), tuned_MN.float(), storage, product=product)


def product_between(later: Product | None, earlier: Product | None) -> Product | None:
    """The factors of what lies between two updates, where both are products."""
    return None if later is None or earlier is None else later.minus(earlier)


def storage_name(base_MN: Tensor, tuned_MN: Tensor) -> str:
    """Name of the storage two tensors are in, as `joint_storage` tells."""
    return joint_storage(*(str(one.dtype).removeprefix("torch.") for one in (base_MN, tuned_MN)))


def joint_storage(base: str, tuned: str) -> str:
    """The name of two storages: the wider one, but FP8 where either is: it limits what is seen."""
    if eight_bit := [name for name in (base, tuned) if name.startswith("float8")]:
        return max(eight_bit)  # float8_e5m2 is coarser than float8_e4m3fn
    wider = torch.promote_types(getattr(torch, base), getattr(torch, tuned))
    return str(wider).removeprefix("torch.")
