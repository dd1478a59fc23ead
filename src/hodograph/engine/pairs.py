"""One unit of a comparison: one stored parameter of W0 and of two runs from it.

M rows, N columns.
"""

import torch

from hodograph.checkpoints import Trajectory
from hodograph.diagnostics.intruders import intruders
from hodograph.diagnostics.path import TopVectors
from hodograph.diagnostics.rotation import principal_size, rotation
from hodograph.diagnostics.shift import spectral_shift
from hodograph.diagnostics.size import size
from hodograph.diagnostics.spectrum import stable_rank
from hodograph.diagnostics.two_runs import agreement, between, direction
from hodograph.engine.matrix import Row
from hodograph.engine.settings import PairSettings
from hodograph.engine.start import Start
from hodograph.engine.stored import matrix_at, update_at
from hodograph.engine.worker import identity, refuse_nonfinite
from hodograph.linalg.certificates import subspace_error
from hodograph.linalg.compared import compared
from hodograph.linalg.factor import factor, factor_change
from hodograph.linalg.factors import Factors
from hodograph.matrices.pairing import Parameter
from hodograph.matrices.unfuse import Block
from hodograph.matrices.update import Update, joint_storage
from hodograph.tables.pairs import INTRUDER_TOP, RUNS


def compare_parameter(
    parameter: Parameter, trajectory: Trajectory, settings: PairSettings
) -> list[Row]:
    """Compare two runs on every matrix of one stored parameter.

    Args:
        parameter: the unit.
        trajectory: W0, then the two runs' checkpoints.
        settings: of the comparison.

    Raises:
        CheckpointError: a weight is NaN or infinite and settings.nonfinite is "error".
    """
    return [_compare_block(parameter, block, trajectory, settings) for block in parameter.blocks]


def _compare_block(
    parameter: Parameter, block: Block, trajectory: Trajectory, settings: PairSettings
) -> Row:
    base_MN = matrix_at(trajectory.base, parameter.name, block)
    updates: list[Update] = []
    finite_MN = torch.isfinite(base_MN)
    for index, checkpoint in enumerate(trajectory.tuned):
        tuned_MN = matrix_at(checkpoint, parameter.tuned_names[index], block)
        finite_MN = finite_MN & torch.isfinite(tuned_MN)
        if not bool(finite_MN.all()):
            refuse_nonfinite(parameter, checkpoint, base_MN, settings.nonfinite)
        updates.append(update_at(parameter, block, trajectory, index, base_MN, tuned_MN))
    storage = joint_storage(*(update.storage for update in updates))
    row = identity(parameter, block) | {"storage": storage, "flags": []}
    row["nonfinite"] = int((~finite_MN).sum())
    if row["nonfinite"]:
        return row | {"flags": ["nonfinite"]}
    row |= agreement(*updates) | direction(*updates)
    for run, update in zip(RUNS, updates, strict=True):
        row |= _named(size(update), ("update_norm", "relative_norm"), run)
        row["base_norm"] = size(update)["base_norm"]
        row["flags"] += _flags(update, row[f"density_{run}"], run)
    if block.spectral:
        start = Start(base_MN, torch.device(settings.device))
        row |= _spectra([start.moved(update) for update in updates], settings, row["flags"])
    return row


def _spectra(updates: list[Update], settings: PairSettings, flags: list[str]) -> Row:
    """Columns that need factors; those of W0 hold every vector, for the intruders.

    Updates are where matrices are factored.
    """
    base_MN = updates[0].base_MN
    rows, cols = base_MN.shape
    k = principal_size(rows, cols, settings.angle_k)
    every = min(rows, cols)
    base = factor(base_MN, every, sizes=(max(k, 1), every), exact=settings.exact)
    columns: Row = {}
    methods, tops = set(), []
    for run, update in zip(RUNS, updates, strict=True):
        if update.norm == 0:
            continue
        wanted = max(k, INTRUDER_TOP)
        base, tuned = compared(base, base_MN, update.tuned_MN, wanted, exact=settings.exact)
        size = settings.similarity_k
        change = factor_change(update.difference_MN, update.product, size, exact=settings.exact)
        columns |= _run(update, base, tuned, k, run, exact=settings.exact)
        columns[f"stable_rank_{run}"] = stable_rank(change.sigma_R)
        tops.append(TopVectors(change, change.numerical_rank))
        methods |= {base.method, tuned.method, change.method}
    if tops:
        columns["method"] = "+".join(sorted(methods))
    if len(tops) == len(RUNS):
        columns |= _subspaces(tops[0], tops[1], settings.similarity_k, flags)
    return columns


def _run(update: Update, base: Factors, tuned: Factors, k: int, run: str, *, exact: bool) -> Row:
    """Columns of one run against W0."""
    relative = update.norm / float(base.sigma_R.norm()) if base.sigma_R[0] > 0 else None
    turned = rotation(base, tuned, k, exact=exact)
    columns: Row = intruders(base, tuned, run) | {"angle_k": turned["angle_k"]}
    columns |= _named(turned, ("angle_left_mean", "angle_right_mean"), run)
    longer = max(update.base_MN.shape)
    shifted = spectral_shift(base.sigma_R, tuned.sigma_R, relative, longer)
    return columns | _named(shifted, ("nss",), run)


def _subspaces(a: TopVectors, b: TopVectors, wanted: int, flags: list[str]) -> Row:
    columns = between(a, b, wanted)
    k = columns["sim16_k"]
    if k != wanted:
        flags.append("lowered_k")
    error = subspace_error(a.factors, k) + subspace_error(b.factors, k)
    return columns | {"certificate_similarity": error}


def _named(columns: Row, names: tuple[str, ...], run: str) -> Row:
    return {f"{name}_{run}": columns[name] for name in names if name in columns}


def _flags(update: Update, density: float, run: str) -> list[str]:
    if update.norm == 0:
        return [f"no_update_{run}"]
    return [f"sub_ulp_{run}"] if density == 0 else []
