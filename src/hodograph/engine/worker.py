"""One unit of work: one stored parameter, read from every checkpoint of a trajectory.

W0 is read, factored and counted once. M rows, N columns.
"""

import hashlib
from typing import Protocol

import torch
from torch import Tensor

from hodograph.checkpoints import Checkpoint, Trajectory
from hodograph.diagnostics.energy import SIZES as ENERGY_SIZES
from hodograph.diagnostics.inputs import InputNull
from hodograph.diagnostics.landing import Permutations, landing, null_reason, permutation_null
from hodograph.diagnostics.masks import Masks, masks_of
from hodograph.diagnostics.path import Spent, displacement
from hodograph.diagnostics.rotation import principal_size
from hodograph.diagnostics.visibility import Visible, look, sparsity
from hodograph.engine.ahead import Ahead
from hodograph.engine.asking import Task, alone, together
from hodograph.engine.batch import Batch, members_of
from hodograph.engine.matrix import MatrixPath, Row
from hodograph.engine.settings import Nonfinite, Settings
from hodograph.engine.start import Start
from hodograph.engine.stored import matrix_at, storage_at, update_at
from hodograph.errors import CheckpointError
from hodograph.linalg.factor import Wanted
from hodograph.linalg.factors import Factors
from hodograph.matrices.bits import count_base
from hodograph.matrices.pairing import Parameter
from hodograph.matrices.precision import all_entries_finite
from hodograph.matrices.unfuse import Block
from hodograph.matrices.update import Update


class Inputs(Protocol):
    """What is known of the layers' inputs."""

    def of(self, parameter: str, module: str) -> InputNull | str:
        """The null of one matrix of a stored parameter, or why there is none."""


def measure_parameter(
    parameter: Parameter,
    trajectory: Trajectory,
    settings: Settings,
    inputs: Inputs | None = None,
) -> list[Row]:
    """Measure every matrix of one stored parameter, or of a batch of them, at every checkpoint.

    Args:
        parameter: the unit.
        trajectory: the checkpoints.
        settings: of the measurement.
        inputs: of the layers, where they were asked for.

    Raises:
        CheckpointError: a weight is NaN or infinite and settings.nonfinite is "error".
    """
    matrices = [(member, block) for member in members_of(parameter) for block in member.blocks]
    if settings.only == "sparsity":
        found = [_sparsity_only(*one, trajectory, settings) for one in matrices]
    elif isinstance(parameter, Batch):
        found = together([_measured(*one, trajectory, settings, inputs) for one in matrices])
    else:
        found = [alone(_measured(*one, trajectory, settings, inputs)) for one in matrices]
    return [row for rows in found for row in rows]


def _sparsity_only(
    parameter: Parameter, block: Block, trajectory: Trajectory, settings: Settings
) -> list[Row]:
    base_MN = matrix_at(trajectory.base, parameter.name, block)
    rows: list[Row] = []
    for index, checkpoint in enumerate(trajectory.tuned):
        tuned_MN = matrix_at(checkpoint, parameter.tuned_names[index], block)
        row = identity(parameter, block) | {"step": trajectory.steps[index]}
        row |= sparsity(base_MN, tuned_MN)
        if row["nonfinite"]:
            refuse_nonfinite(parameter, checkpoint, base_MN, settings.nonfinite)
        flags = ["nonfinite"] if row["nonfinite"] else []
        storage = storage_at(parameter, trajectory, index, base_MN, tuned_MN)
        rows.append(row | {"storage": storage, "flags": flags})
    return rows


def _measured(
    parameter: Parameter,
    block: Block,
    trajectory: Trajectory,
    settings: Settings,
    inputs: Inputs | None,
) -> Task[list[Row]]:
    """Every row of one matrix, beside its layer's inputs where they are known."""
    found = inputs.of(parameter.name, block.module) if inputs and block.spectral else None
    null, reason = (found, None) if isinstance(found, InputNull) else (None, found)
    null = null.on(torch.device(settings.device)) if null else None
    measured = yield from _measure_block(parameter, block, trajectory, settings, null)
    return [row | {"inputs_reason": reason} for row in measured]


def _measure_block(
    parameter: Parameter,
    block: Block,
    trajectory: Trajectory,
    settings: Settings,
    inputs: InputNull | None,
) -> Task[list[Row]]:
    base_MN = matrix_at(trajectory.base, parameter.name, block)
    start = Start(base_MN, torch.device(settings.device))
    factors = yield from _factors(start, block, settings)
    masks = _masks(base_MN, block, factors, settings)
    counted = masks.base if masks is not None else count_base(base_MN)
    ends = (
        _ends(parameter, block, start, trajectory, settings, inputs) if factors is not None else {}
    )
    paths: dict[str, MatrixPath] = {}
    rows: list[Row] = []
    for index, checkpoint in enumerate(trajectory.tuned):
        tuned_MN = matrix_at(checkpoint, parameter.tuned_names[index], block)
        seen = identity(parameter, block) | {"step": trajectory.steps[index]}
        visible = look(counted, tuned_MN)
        seen |= visible.columns
        stored = update_at(parameter, block, trajectory, index, base_MN, tuned_MN)
        if seen["nonfinite"]:
            refuse_nonfinite(parameter, checkpoint, base_MN, settings.nonfinite)
            rows.append(seen | {"storage": stored.storage, "flags": ["nonfinite"]})
            continue
        if masks is not None:
            seen |= _landed(stored, visible, masks, seen, settings)
        for update in _storages(stored, settings):
            path = paths.get(update.storage)
            if path is None:
                path = MatrixPath(
                    settings,
                    (yield from _factors_as(update, start, factors, block, settings)),
                    seed_of(identity(parameter, block) | {"step": 0}, settings.seed),
                    ends.get(update.storage),
                    inputs,
                )
                paths[update.storage] = path
            yield from path.add(start.moved(update), dict(seen))
    for path in paths.values():
        rows += path.rows()
    return [_with_displacement(row, trajectory, settings) for row in rows]


def _ends(
    parameter: Parameter,
    block: Block,
    start: Start,
    trajectory: Trajectory,
    settings: Settings,
    inputs: InputNull | None,
) -> dict[str, Ahead]:
    """What looks ahead to W_T, by storage; nothing where W_T is W_1 or is not finite."""
    end_MN = matrix_at(trajectory.tuned[-1], parameter.tuned_names[-1], block)
    if len(trajectory.tuned) == 1 or not all_entries_finite(end_MN):
        return {}
    last = len(trajectory.tuned) - 1
    update = update_at(parameter, block, trajectory, last, start.base_MN, end_MN)
    return {
        one.storage: Ahead(settings, start.moved(one), inputs)
        for one in _storages(update, settings)
    }


def _factors(start: Start, block: Block, settings: Settings) -> Task[Factors | None]:
    """W0's factors, or None where no spectrum is asked for or possible."""
    if not block.spectral or not all_entries_finite(start.base_MN):
        return None
    return (yield _wanted(start.stored(), block, settings))


def _factors_as(
    update: Update, start: Start, factors: Factors | None, block: Block, settings: Settings
) -> Task[Factors | None]:
    """W0's factors in the update's storage; those at hand where it did not round W0."""
    if factors is None or start.kept_by(update):
        return factors
    return (yield _wanted(start.shown(update), block, settings))


def _wanted(base_MN: Tensor, block: Block, settings: Settings) -> Wanted:
    """W0 to be factored, vouched for at every size that angles, masks and energies take."""
    k = principal_size(block.rows, block.cols, settings.angle_k)
    sizes = (max(k, 1), _mask_rank(block, settings), *ENERGY_SIZES)
    vectors = max(k, settings.mask_rank, *ENERGY_SIZES)
    return Wanted(base_MN, vectors, sizes, settings.exact)


def _masks(
    base_MN: Tensor, block: Block, factors: Factors | None, settings: Settings
) -> Masks | None:
    if factors is None:
        return None
    return masks_of(base_MN, factors, _mask_rank(block, settings))


def _mask_rank(block: Block, settings: Settings) -> int:
    return max(1, principal_size(block.rows, block.cols, settings.mask_rank))


def _landed(stored: Update, visible: Visible, masks: Masks, seen: Row, settings: Settings) -> Row:
    permutations = Permutations(settings.permutations, seed_of(seen, settings.seed))
    reason = null_reason(stored)
    return landing(visible, masks) | permutation_null(stored, masks, permutations, reason)


def _storages(stored: Update, settings: Settings) -> list[Update]:
    if settings.also_bf16 and stored.storage != "bfloat16":
        return [stored, stored.in_bfloat16()]
    return [stored]


def identity(parameter: Parameter, block: Block) -> Row:
    """Which matrix a row is about."""
    return {
        "parameter": parameter.name,
        "layer": parameter.role.layer,
        "module": block.module,
        "expert": parameter.role.expert,
        "rows": block.rows,
        "cols": block.cols,
    }


def seed_of(seen: Row, seed: int) -> int:
    """A seed of its own for every matrix and checkpoint, the same in any order of work."""
    name = f"{seed}\0{seen['parameter']}\0{seen['module']}\0{seen['step']}"
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:7])


def refuse_nonfinite(
    parameter: Parameter, checkpoint: Checkpoint, base_MN: Tensor, nonfinite: Nonfinite
) -> None:
    """End the measurement at NaN or infinite weights, unless they are to be skipped.

    Raises:
        CheckpointError: `nonfinite` is "error".
    """
    if nonfinite == "skip":
        return
    in_base = not all_entries_finite(base_MN)
    where = "the base" if in_base else checkpoint.path
    raise CheckpointError(
        f"{parameter.name}: NaN or infinite weights in {where}, in float32.\n"
        "  --nonfinite skip leaves such matrices out of the spectra and counts them."
    )


def _with_displacement(row: Row, trajectory: Trajectory, settings: Settings) -> Row:
    if "update_rms" not in row:
        return row
    spent = _spent(row["step"], trajectory, settings)
    return row | displacement(row["update_rms"], row["base_norm"], spent)


def _spent(step: int, trajectory: Trajectory, settings: Settings) -> Spent:
    """What training had spent since W0, as recorded beside its checkpoint or as it was told."""
    since = step - trajectory.base_step
    before = trajectory.base.training
    recorded = {
        name: value - before.get(name, 0)
        for name, value in trajectory.tuned[trajectory.steps.index(step)].training.items()
        if name in ("learning_rate_sum", "weight_decay_sum", "skipped_steps")
    }
    rates = recorded.get("learning_rate_sum")
    if rates is None and settings.learning_rate is not None:
        rates = settings.learning_rate * since
    steps = None if trajectory.numbered else since - recorded.get("skipped_steps", 0)
    return Spent(rates, recorded.get("weight_decay_sum"), steps)
