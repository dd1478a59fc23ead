"""Eigenvalues and leading eigenvectors of a Gram matrix, and what forming it costs.

R shorter side, L longer side, K leading vectors kept.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from hodograph.linalg.factors import EPS

PRODUCT_ERROR = 2.0  # in eps


@dataclass(frozen=True)
class Eigen:
    """Every eigenvalue of W Wᵀ and its leading eigenvectors, in float64.

    Attributes:
        lambda_R: eigenvalues, descending; those of rounding size may be negative.
        error_R: bound on the error of each.
        near_RK: leading eigenvectors, as columns.
    """

    lambda_R: Float[Tensor, " R"]
    error_R: Float[Tensor, " R"]
    near_RK: Float[Tensor, "R K"]

    def sigma(self) -> tuple[Float[Tensor, " R"], Float[Tensor, " R"]]:
        """Singular values sqrt(lambda), and the bound on the error of each."""
        positive_R = self.lambda_R.clamp(min=0)
        sigma_R = positive_R.sqrt()
        lowest_R = (self.lambda_R - self.error_R).clamp(min=0).sqrt()
        largest_R = (positive_R + self.error_R).sqrt()  # where lambda cannot be told from zero
        small_R = self.lambda_R <= self.error_R
        return sigma_R, torch.where(small_R, largest_R, self.error_R / (sigma_R + lowest_R))


def product_error(energy_R: Float[Tensor, " R"], length: int, lambda_1: Tensor) -> Tensor:
    """Bound on what rounding the products w_i w_j does to an eigenvalue of W Wᵀ.

    Rounding errors are taken as random in sign (Higham & Mary, 2019). The product of two rows is
    then off by about eps |w_i| |w_j|, as a matrix by eps max |w_i| ‖W‖_F; a row's with itself, a
    sum of squares that only grows, by eps sqrt(L) |w_i|². Where rows point one way, all products
    grow so, and lambda_1 sqrt(L / R) is what that adds. The tests hold the bound against 40 digits,
    and at size against the SVD.

    Args:
        energy_R: squared norms of the rows: the diagonal of the product.
        length: L, of each row.
        lambda_1: the largest eigenvalue.
    """
    size = len(energy_R)
    largest = energy_R.max()
    products = (largest * energy_R.sum()).sqrt() + length**0.5 * largest
    return PRODUCT_ERROR * EPS * (products + (length / size) ** 0.5 * lambda_1)
