"""What a measurement will read, need and take, from headers alone.

M rows, N columns, T checkpoints.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from hodograph.checkpoints import Trajectory
from hodograph.diagnostics.rotation import principal_size
from hodograph.engine.settings import Settings
from hodograph.linalg.factor import factor
from hodograph.matrices.pairing import Parameter
from hodograph.matrices.renaming import renamed
from hodograph.matrices.unfuse import Block

DOUBLE = 8
PROBE = 512  # side of the matrix that is factored to learn this machine's speed


@dataclass(frozen=True)
class Plan:
    """What is ahead.

    Attributes:
        units: stored parameters in the order of work, largest first.
        matrices: matrices in them.
        bytes_to_read: stored bytes of all units at every checkpoint, the base included.
        seconds: estimated time with the given number of workers.
        memory: estimated anonymous memory of one worker at its largest unit, in bytes.
        workers: worker processes the estimate is for.
        renamed: the map of names, where a checkpoint has others than the base.
    """

    units: list[Parameter]
    matrices: int
    bytes_to_read: int
    seconds: float
    memory: int
    workers: int
    renamed: list[str]


def largest_first(parameters: Sequence[Parameter]) -> list[Parameter]:
    """Units in the order of work."""
    return sorted(parameters, key=lambda unit: (-unit.entries, unit.name))


def plan(
    parameters: Sequence[Parameter], trajectory: Trajectory, settings: Settings, workers: int
) -> Plan:
    """Estimate a measurement; a small factorisation is timed to learn the machine's speed."""
    units = largest_first(parameters)
    costs = [sum(_flops(block, trajectory, settings) for block in unit.blocks) for unit in units]
    return Plan(
        units=units,
        matrices=sum(len(unit.blocks) for unit in units),
        bytes_to_read=_bytes(units, trajectory),
        seconds=_longest(costs, workers) / _flops_a_second() if any(costs) else 0.0,
        memory=max(_memory(block, settings) for unit in units for block in unit.blocks),
        workers=workers,
        renamed=renamed(parameters, trajectory),
    )


def _bytes(units: Sequence[Parameter], trajectory: Trajectory) -> int:
    sizes = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
    total = 0
    for unit in units:
        total += unit.entries * sizes[trajectory.base.headers[unit.name].dtype]
        for checkpoint, name in zip(trajectory.tuned, unit.tuned_names, strict=True):
            total += unit.entries * sizes[checkpoint.headers[name].dtype]
    return total


def _longest(costs: Sequence[float], workers: int) -> float:
    """Work of the busiest worker when each takes the largest unit that is left."""
    loads = [0.0] * workers
    for cost in costs:
        loads[loads.index(min(loads))] += cost
    return max(loads)


def _flops(block: Block, trajectory: Trajectory, settings: Settings) -> float:
    """Operations for one matrix: W0 once; W_t, D_t, W_T - W_t and W_t - W_{t-1} a checkpoint."""
    if not block.spectral or settings.only == "sparsity":
        return 0.0
    storages = 2 if settings.also_bf16 else 1
    k = principal_size(block.rows, block.cols, settings.angle_k)
    checkpoints = len(trajectory.tuned)
    ahead = max(0, 2 * checkpoints - 3) * storages  # the first and the last step come free
    whole = (1 + 2 * storages * checkpoints) * _factor_flops(block.rows, block.cols, k)
    return whole + ahead * _factor_flops(block.rows, block.cols, settings.similarity_k)


def _factor_flops(rows: int, cols: int, k: int) -> float:
    short, long = min(rows, cols), max(rows, cols)
    return short**2 * long + 4 / 3 * short**3 + 4 * k * short * (short + long)


def _memory(block: Block, settings: Settings) -> int:
    """W0, W1, D, W_T and their working copies in float64, the Gram matrix and eigenvectors."""
    if not block.spectral or settings.only == "sparsity":
        return 0
    short = min(block.rows, block.cols)
    k = principal_size(block.rows, block.cols, settings.angle_k)
    vectors = 2 * (block.rows + block.cols) * k
    return DOUBLE * (7 * block.rows * block.cols + 3 * short * short + 2 * vectors)


def _flops_a_second() -> float:
    matrix = torch.randn(PROBE, 2 * PROBE, generator=torch.Generator().manual_seed(0))
    factor(matrix, PROBE // 2)  # the first call loads libraries
    start = time.perf_counter()
    factor(matrix, PROBE // 2)
    return _factor_flops(PROBE, 2 * PROBE, PROBE // 2) / (time.perf_counter() - start)
