"""One unit of a sweep: every value of every constant from one factorisation of each matrix.

M rows, N columns.
"""

from dataclasses import asdict, dataclass

from torch import Tensor

from hodograph.checkpoints import Trajectory
from hodograph.diagnostics.choices import (
    Swept,
    rms,
    swept_angles,
    swept_hill,
    swept_masks,
    swept_similarity,
)
from hodograph.diagnostics.path import TopVectors
from hodograph.diagnostics.rotation import principal_size
from hodograph.engine.matrix import Row
from hodograph.engine.settings import CHOICES
from hodograph.engine.stored import matrix_at
from hodograph.engine.worker import identity, seed_of
from hodograph.errors import CheckpointError, SettingsError
from hodograph.linalg.compared import compared
from hodograph.linalg.factor import factor
from hodograph.linalg.factors import Factors
from hodograph.matrices.pairing import Parameter, Scope, Unpaired
from hodograph.matrices.precision import all_entries_finite
from hodograph.matrices.unfuse import Block
from hodograph.matrices.update import Update, stored_update


@dataclass(frozen=True)
class SweepSettings:
    """What a sweep varies; while one constant varies, the others keep their defaults.

    Attributes:
        scope: as in `Settings`.
        alphas: shares of the entries in a mask; .3 by default elsewhere.
        mask_ranks: r of the part of W0 that the principal mask is cut from; 64 elsewhere.
        angle_ks: dimensions of the principal subspaces; 512 elsewhere.
        similarity_ks: K of Sim_K; 16 elsewhere.
        hill_ks: singular values of the Hill estimate; 11 elsewhere.
        exact: factor every matrix by a full SVD, the reference.
        seed: of the draws behind the nulls of the angles.
        unpaired: "error" or "skip" tensors that are not in every checkpoint.
    """

    scope: Scope = "linear"
    alphas: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5)
    mask_ranks: tuple[int, ...] = (8, 16, 32, 64, 128, 256)
    angle_ks: tuple[int, ...] = (16, 32, 64, 128, 256, 512)
    similarity_ks: tuple[int, ...] = (4, 8, 16, 32, 64)
    hill_ks: tuple[int, ...] = (6, 11, 16, 32, 64)
    exact: bool = False
    seed: int = 0
    unpaired: Unpaired = "error"

    def __post_init__(self) -> None:
        for name in ("scope", "unpaired"):
            if getattr(self, name) not in CHOICES[name]:
                known = ", ".join(CHOICES[name])
                raise SettingsError(f"{name} is {getattr(self, name)!r}; it is one of {known}.")
        for name in ("alphas", "mask_ranks", "angle_ks", "similarity_ks", "hill_ks"):
            values = getattr(self, name)
            if not values or list(values) != sorted(set(values)):
                raise SettingsError(f"{name} is {values}; values must ascend, at least one.")
            lowest = 2 if name == "hill_ks" else 1
            if name != "alphas" and values[0] < lowest:
                raise SettingsError(f"{name} holds {values[0]}; each must be at least {lowest}.")
        if not 0 < self.alphas[0] <= self.alphas[-1] < 1:
            raise SettingsError(f"alphas is {self.alphas}; shares lie above 0 and below 1.")

    def accepts(self, nonfinite: int) -> bool:
        """Whether rows with this many NaN or infinite weights may stand in the result."""
        return nonfinite == 0

    def printed(self) -> dict[str, object]:
        """Every setting by name, for the record."""
        return asdict(self)


DEFAULTS = {"alpha": 0.3, "r": 64, "k": 512, "K": 16, "hill_k": 11}
"""What `hodograph measure` uses."""


def sweep_parameter(
    parameter: Parameter, trajectory: Trajectory, settings: SweepSettings
) -> list[Row]:
    """Sweep every matrix of one stored parameter, at the last checkpoint.

    Raises:
        CheckpointError: a weight is NaN or infinite.
    """
    rows: list[Row] = []
    for block in parameter.blocks:
        if block.spectral:
            about = identity(parameter, block)
            swept = _sweep_block(parameter, block, trajectory, settings)
            rows += [about | asdict(one) | {"nonfinite": 0} for one in swept]
    return rows


def _sweep_block(
    parameter: Parameter, block: Block, trajectory: Trajectory, settings: SweepSettings
) -> list[Swept]:
    base_MN = matrix_at(trajectory.base, parameter.name, block)
    first, *_, last = (
        stored_update(base_MN, tuned_MN)
        for tuned_MN in _ends(parameter, block, base_MN, trajectory)
    )
    if last.norm == 0:
        return []
    base, tuned = _factored(last, settings)
    ranked = TopVectors(*_update_factors(last, settings))
    seed = seed_of(identity(parameter, block) | {"step": 0}, settings.seed)
    swept = swept_masks(
        last.base_MN, last.tuned_MN, base, settings.alphas, settings.mask_ranks,
        (DEFAULTS["alpha"], int(DEFAULTS["r"])),
    )  # fmt: skip
    swept += swept_angles(
        base, tuned, settings.angle_ks, rms(last.difference_MN), seed, exact=settings.exact
    )
    swept += swept_hill(ranked.factors.sigma_R, ranked.rank, settings.hill_ks)
    if len(trajectory.tuned) > 1 and first.norm > 0:
        early = TopVectors(*_update_factors(first, settings))
        swept += swept_similarity(early, ranked, settings.similarity_ks)
    return swept


def _ends(
    parameter: Parameter, block: Block, base_MN: Tensor, trajectory: Trajectory
) -> list[Tensor]:
    """The first and the last checkpoint's matrix; both finite, as is W0."""
    ends = []
    for index in (0, -1):
        checkpoint = trajectory.tuned[index]
        tuned_MN = matrix_at(checkpoint, parameter.tuned_names[index], block)
        for weights_MN, path in ((base_MN, trajectory.base.path), (tuned_MN, checkpoint.path)):
            if not all_entries_finite(weights_MN):
                raise CheckpointError(
                    f"{parameter.name}: NaN or infinite weights in {path}.\n"
                    "  A sweep needs finite weights."
                )
        ends.append(tuned_MN)
    return ends


def _factored(update: Update, settings: SweepSettings) -> tuple[Factors, Factors]:
    """W0 and W1, each once, with as many vectors as any setting needs."""
    rows, cols = update.base_MN.shape
    ks = [max(1, principal_size(rows, cols, size)) for size in settings.angle_ks]
    ranks = (*settings.mask_ranks, int(DEFAULTS["r"]))
    sizes = [*ks, *(max(1, principal_size(rows, cols, rank)) for rank in ranks)]
    base = factor(update.base_MN, max(sizes), sizes=sizes, exact=settings.exact)
    k = ks[-1]
    return compared(base, update.base_MN, update.tuned_MN, k, exact=settings.exact)


def _update_factors(update: Update, settings: SweepSettings) -> tuple[Factors, int]:
    found = factor(update.difference_MN, settings.similarity_ks[-1], exact=settings.exact)
    return found, found.numerical_rank
