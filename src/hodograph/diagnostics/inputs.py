"""G13: how much of a lock the inputs of the layers alone explain.

The gradient of a matrix is a sum of (output error) (layer input)ᵀ, so on the right side updates lie
in the span of the inputs. C = sum of x xᵀ is the second moment of the inputs x over a batch of
tokens. A random update with the same inputs is Z C^{1/2}, Z Gaussian with the rows of the matrix:
what independent output errors add up to over many tokens. If such errors drive training, its way up
to a checkpoint and its way from the next one on are two independent draws, whatever their lengths;
so the null of a capture does not depend on the checkpoint.

M rows, N columns (inputs), K vectors, D draws.
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from hodograph.diagnostics.lock import capture
from hodograph.linalg.factor import factor
from hodograph.linalg.factors import EPS
from hodograph.linalg.subspaces import similarity

Row = dict[str, Any]
LEAST_DRAWS = 3  # a jackknife leaves one out, and pairs of the others must be left


@dataclass(frozen=True)
class InputNull:
    """The leading inputs of one matrix, and random updates with these inputs.

    Attributes:
        u_NK: leading eigenvectors of C.
        energy_K: share of C's trace in the first 1, ..., K of them.
        v_DNK: leading right singular vectors of each random update.
        inside_DDK: [i, j, k]: share of draw j's energy inside the first k + 1 vectors of draw i.
        best_DK: share of each draw's energy in the first 1, ..., K of its own.
        drift: 1 - Sim_K of u_NK to the leading inputs of the last checkpoint; None if not known.
    """

    u_NK: Float[Tensor, "N K"]
    energy_K: Float[Tensor, " K"]
    v_DNK: Float[Tensor, "D N K"]
    inside_DDK: Float[Tensor, "D D K"]
    best_DK: Float[Tensor, "D K"]
    drift: float | None = None

    @property
    def size(self) -> int:
        """K."""
        return self.u_NK.shape[1]

    @property
    def cols(self) -> int:
        """N."""
        return self.u_NK.shape[0]

    def on(self, device: torch.device) -> "InputNull":
        """The same null on a device."""
        tensors = (self.u_NK, self.energy_K, self.v_DNK, self.inside_DDK, self.best_DK)
        u_NK, energy_K, v_DNK, inside_DDK, best_DK = (tensor.to(device) for tensor in tensors)
        return InputNull(u_NK, energy_K, v_DNK, inside_DDK, best_DK, self.drift)


@dataclass(frozen=True)
class Moment:
    """Spectrum of C.

    Attributes:
        lambda_N: eigenvalues, descending, none below zero.
        vectors_NN: eigenvectors, as columns.
    """

    lambda_N: Float[Tensor, " N"]
    vectors_NN: Float[Tensor, "N N"]

    def leading(self, k: int) -> Float[Tensor, "N K"]:
        """The first k eigenvectors, fewer where the rank of C is lower."""
        resolved = self.lambda_N > len(self.lambda_N) * EPS * self.lambda_N[0]
        return self.vectors_NN[:, : min(k, int(resolved.sum()))].contiguous()


def moment_of(moment_NN: Float[Tensor, "N N"]) -> Moment:
    """Factor C, in float64 and finite."""
    lambda_N, vectors_NN = torch.linalg.eigh(moment_NN)
    return Moment(lambda_N.flip(0).clamp(min=0), vectors_NN.flip(1))


def input_null(moment: Moment, rows: int, k: int, draws: int, seed: int) -> InputNull | None:
    """Draw random updates with the second moment C of the inputs.

    They have the rows of the matrix: with few rows the leading vectors of Z C^{1/2} are a noisy
    picture of C's, and so are those of a real update.

    Args:
        moment: of the inputs.
        rows: M.
        k: as asked for; lowered to half of the shorter side and to the rank of C.
        draws: at least `LEAST_DRAWS`.
        seed: of the draws.

    Returns:
        None where the inputs are all zero.
    """
    u_NK = moment.leading(min(k, max(1, min(rows, len(moment.lambda_N)) // 2)))
    if u_NK.shape[1] == 0:
        return None
    updates = _random_updates(moment, rows, draws, seed)
    found = [factor(update_MN, u_NK.shape[1]) for update_MN in updates]
    size = min(u_NK.shape[1], *(min(one.kept, one.numerical_rank) for one in found))
    v_DNK = torch.stack([one.v_NK[:, :size] for one in found])
    inside = [torch.stack([_inside(one_MN, v_NK) for one_MN in updates]) for v_NK in v_DNK]
    return InputNull(
        u_NK[:, :size],
        _cumulative(moment.lambda_N, size),
        v_DNK,
        torch.stack(inside),
        torch.stack([_cumulative(one.sigma_R.square(), size) for one in found]),
    )


def _random_updates(moment: Moment, rows: int, draws: int, seed: int) -> list[Float[Tensor, "M N"]]:
    """Z rootᵀ with root rootᵀ = C: distributed as Z C^{1/2} for any such root."""
    root_NN = moment.vectors_NN * moment.lambda_N.sqrt()
    generator = torch.Generator().manual_seed(seed)
    shape = (rows, len(root_NN))
    return [
        torch.randn(shape, generator=generator, dtype=torch.float64) @ root_NN.T
        for _ in range(draws)
    ]


def _inside(update_MN: Tensor, v_NK: Tensor) -> Float[Tensor, " K"]:
    """Share of an update's energy inside the first 1, ..., K columns."""
    return (update_MN @ v_NK).square().sum(0).cumsum(0) / update_MN.square().sum()


def _cumulative(energy_R: Tensor, size: int) -> Float[Tensor, " K"]:
    """Share of the whole in the first 1, ..., K entries."""
    return energy_R[:size].cumsum(0) / energy_R.sum()


def beside_inputs(
    null: InputNull, difference_MN: Float[Tensor, "M N"], v_NK: Float[Tensor, "N K"]
) -> Row:
    """Where an update lies among the inputs: columns of every checkpoint.

    Args:
        null: of the matrix.
        difference_MN: D, not zero.
        v_NK: its leading right singular vectors, as many as it has up to K.
    """
    size = min(null.size, v_NK.shape[1])
    u_NK, v_DNK = null.u_NK[:, :size], null.v_DNK[:, :, :size]
    drawn_D = torch.einsum("nk,dnl->dkl", u_NK, v_DNK).square().sum((1, 2)) / size
    similar_DD = torch.einsum("dnk,enl->dekl", v_DNK, v_DNK).square().sum((2, 3)) / size
    sim, error = _between(similar_DD)
    inside = float((difference_MN @ null.u_NK).square().sum())
    return {
        "input_overlap16": similarity(u_NK, v_NK[:, :size]),
        "input_overlap16_chance": size / null.cols,
        "input_overlap16_null": float(drawn_D.mean()),
        "input_energy16": inside / float(difference_MN.square().sum()),
        "input_energy16_chance": null.size / null.cols,
        "input_energy16_null": float(null.energy_K[-1]),
        "sim16_input_null": sim,
        "sim16_input_null_se": error,
        "input_drift16": null.drift,
    }


def captured_by_inputs(
    null: InputNull, rest_MN: Float[Tensor, "M N"], sigma_R: Float[Tensor, " R"], k: int
) -> Row:
    """What random updates with these inputs capture: of the run's rest, and of each other.

    The null has no closed form: its numerator alone has one, tr(Vᵀ C V) / tr(C), but V and the
    best K directions depend on the draws. It is the mean over ordered pairs of draws, with a
    jackknife over draws for its error.

    Args:
        null: of the matrix.
        rest_MN: R, the rest of the way, in float64.
        sigma_R: its singular values, descending.
        k: vectors of the early update that captured R; no more are taken here.
    """
    size = min(null.size, k)
    found = [capture(rest_MN, sigma_R, v_NK[:, :size]) for v_NK in null.v_DNK]
    caught = [value for value in found if value is not None]
    columns: Row = {"capture16_by_inputs": sum(caught) / len(caught)} if caught else {}
    chance = size / null.cols
    best_D = null.best_DK[:, size - 1] - chance
    if bool((best_D <= 0).any()):
        return columns
    pairs_DD = (null.inside_DDK[:, :, size - 1] - chance) / best_D
    mean, error = _between(pairs_DD)
    return columns | {"capture16_input_null": mean, "capture16_input_null_se": error}


def _between(pairs_DD: Float[Tensor, "D D"]) -> tuple[float, float]:
    """Mean over pairs of different draws, and its standard error by a jackknife over draws."""
    draws = len(pairs_DD)
    off_DD = pairs_DD - pairs_DD.diagonal().diag()
    total, of_D = off_DD.sum(), off_DD.sum(0) + off_DD.sum(1)
    mean = total / (draws * (draws - 1))
    without_D = (total - of_D) / ((draws - 1) * (draws - 2))
    error = ((draws - 1) / draws * (without_D - without_D.mean()).square().sum()).sqrt()
    return float(mean), float(error)
