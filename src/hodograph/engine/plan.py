"""What a measurement will read, need and take, from headers alone.

M rows, N columns, T checkpoints.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from hodograph.checkpoints import Trajectory
from hodograph.diagnostics.rotation import principal_size
from hodograph.diagnostics.visibility import sparsity, visibility
from hodograph.engine.batch import Batch, members_of
from hodograph.engine.devices import devices_here
from hodograph.engine.settings import Settings
from hodograph.linalg.factor import factor
from hodograph.matrices.pairing import Parameter
from hodograph.matrices.renaming import renamed
from hodograph.matrices.unfuse import Block
from hodograph.processes import one_thread

DOUBLE, SINGLE, HALF, MASK = 8, 4, 2, 1  # bytes of an entry
HEAP, MOST_HEAP = 48_000_000, 256_000_000  # bytes
LIBRARIES = 400_000_000  # bytes that a process takes before it reads a weight
PROBE, DEVICE_PROBE = 512, 2048  # side of the matrix that is factored to learn a machine's speed
STARTING = 4.0  # seconds that sharing must save: until processes are ready, and some to spare
PASSES = 6  # over the entries of a matrix and checkpoint, in units of a pass for visibility


@dataclass(frozen=True)
class Plan:
    """What is ahead.

    Attributes:
        units: stored parameters, or batches of small ones, in the order of work, largest first.
        matrices: matrices in them.
        bytes_to_read: stored bytes of all units at every checkpoint, the base included.
        seconds: estimated time with the given number of workers; None where the device is not
            here to be timed.
        memory: estimated memory of one worker at its largest unit, in bytes: anonymous memory
            above the libraries', or memory of its CUDA device.
        workers: worker processes the estimate is for; None on a cluster, where only Ray knows
            them, and the time is that of one.
        renamed: the map of names, where a checkpoint has others than the base.
        device: where matrices are factored, as in `Settings`.
    """

    units: list[Parameter]
    matrices: int
    bytes_to_read: int
    seconds: float | None
    memory: int
    workers: int | None
    renamed: list[str]
    device: str

    @property
    def worth_sharing(self) -> bool:
        """Whether its workers save more than their start takes.

        What they share in some time would take one of them about as many times as long.
        """
        others = min(self.workers or 1, len(self.units)) - 1
        return (self.seconds or 0) * others > STARTING


@dataclass(frozen=True)
class Speed:
    """Operations a second in factoring, and entries a second in counting."""

    flops: float
    entries: float


NOMINAL = Speed(flops=2e10, entries=2e8)
"""Of a core of 2020: what units cost each other is the same wherever it is asked."""


def largest_first(parameters: Sequence[Parameter]) -> list[Parameter]:
    """Units in the order of work."""
    return sorted(parameters, key=lambda unit: (-unit.entries, unit.name))


def plan(
    parameters: Sequence[Parameter], trajectory: Trajectory, settings: Settings, workers: int | None
) -> Plan:
    """Estimate a measurement; a factorisation is timed on the device, and a count on the CPU.

    Without a CUDA device here, as on the head of a cluster, the time of one stays unknown.
    """
    units, seconds = largest_first(parameters), None
    if settings.device == "cpu" or settings.only == "sparsity" or devices_here():
        costs = costs_of(units, trajectory, settings, measured_speed(settings))
        seconds = longest(costs, workers or 1)
    return Plan(
        units=units,
        matrices=sum(len(unit.blocks) for unit in units),
        bytes_to_read=_bytes(units, trajectory),
        seconds=seconds,
        memory=max(memory_of(unit, settings) for unit in units),
        workers=workers,
        renamed=renamed(_members(units), trajectory),
        device=settings.device,
    )


def costs_of(
    units: Sequence[Parameter],
    trajectory: Trajectory,
    settings: Settings,
    speed: Speed = NOMINAL,
) -> list[float]:
    """Estimated seconds of each unit; with the nominal speed equal on every machine."""
    return [sum(_seconds(b, trajectory, settings, speed) for b in unit.blocks) for unit in units]


def _bytes(units: Sequence[Parameter], trajectory: Trajectory) -> int:
    sizes = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1}
    total = 0
    for unit in _members(units):
        total += unit.entries * sizes[trajectory.base.headers[unit.name].dtype]
        for checkpoint, name in zip(trajectory.tuned, unit.tuned_names, strict=True):
            total += unit.entries * sizes[checkpoint.headers[name].dtype]
    return total


def _members(units: Sequence[Parameter]) -> list[Parameter]:
    return [member for unit in units for member in members_of(unit)]


def longest(costs: Sequence[float], workers: int) -> float:
    """Work of the busiest worker when each takes the next unit as it becomes free."""
    loads = [0.0] * workers
    for cost in costs:
        loads[loads.index(min(loads))] += cost
    return max(loads)


def _seconds(block: Block, trajectory: Trajectory, settings: Settings, speed: Speed) -> float:
    """Time for one matrix: W0 once; W_t, D_t, W_T - W_t and W_t - W_{t-1} a checkpoint."""
    rows, cols, checkpoints = block.rows, block.cols, len(trajectory.tuned)
    if settings.only == "sparsity":
        return checkpoints * rows * cols / speed.entries
    counting = PASSES * checkpoints * rows * cols / speed.entries
    if not block.spectral:
        return counting
    storages = 2 if settings.also_bf16 else 1
    k = principal_size(rows, cols, settings.angle_k)
    ahead = max(0, 2 * checkpoints - 3)  # the first and the last step come free
    small = storages * (checkpoints + ahead)
    flops = (1 + storages * checkpoints) * _factor_flops(rows, cols, k)
    flops += small * _factor_flops(rows, cols, settings.similarity_k)
    flops += storages * checkpoints * _comparing_flops(rows, cols, k)
    return flops / speed.flops + counting


def _factor_flops(rows: int, cols: int, k: int) -> float:
    """Gram matrix, its reduction, and k vectors on both sides."""
    short, long = min(rows, cols), max(rows, cols)
    return short**2 * long + 4 / 3 * short**3 + 2 * k * short * (short + long)


def _comparing_flops(rows: int, cols: int, k: int) -> float:
    """Sines of both sides, and D seen from W0's leading vectors, which float32 does in half."""
    return 5 * k**2 * (rows + cols) + 2 * rows * cols * k


def memory_of(unit: Parameter, settings: Settings) -> int:
    """Estimated bytes that measuring one unit needs, as `Plan.memory`.

    Matrices of a parameter are measured one after another, those of a batch together.
    """
    checkpoints = len(unit.tuned_names)
    each = [_memory(block, checkpoints, settings) for block in unit.blocks]
    return sum(each) if isinstance(unit, Batch) else max(each)


def _memory(block: Block, checkpoints: int, settings: Settings) -> int:
    """What is held of one matrix when most is: while it looks ahead from a checkpoint.

    In each storage that is the update (W0 and W_t in float32, D in float64) and, along a
    trajectory, W_{t-1}, the step from there, and W_T beside its W0; in work are three copies in
    float64, as many as the reference takes. W0 is beside them as it was read, with its masks.
    Files that are mapped are counted as if they were read.
    """
    entries = block.rows * block.cols
    if settings.only == "sparsity":
        return _with_heap(entries * 2 * (SINGLE + HALF), settings)
    storages, update = 2 if settings.also_bf16 else 1, 2 * SINGLE + DOUBLE
    held = SINGLE + MASK + storages * update + 3 * DOUBLE
    if checkpoints > 1:
        held += storages * (SINGLE + DOUBLE + 2 * SINGLE)
    return _with_heap(entries * held + _factoring_bytes(block, storages, settings), settings)


def _factoring_bytes(block: Block, storages: int, settings: Settings) -> int:
    """Vectors of W0, in each storage, and of W_t; squares of the shorter side.

    A device's library keeps every eigenvector, and bounding its error takes as much again.
    """
    if not block.spectral:
        return 0
    k = principal_size(block.rows, block.cols, settings.angle_k)
    vectors = (1 + storages) * (block.rows + block.cols) * k
    squares = (5 if settings.device == "cpu" else 8) * min(block.rows, block.cols) ** 2
    return DOUBLE * (vectors + squares)


def _with_heap(held: int, settings: Settings) -> int:
    """Add what the C library keeps of freed pieces, and BLAS for itself; measured, on the CPU.

    Pieces of more than 32 MiB go back to the system at once, so that it does not grow for ever.
    """
    if settings.device != "cpu":
        return held
    return held + min(HEAP + held * 15 // 100, MOST_HEAP)


def measured_speed(settings: Settings) -> Speed:
    """Time one factorisation where it will run, and one pass over its entries on the CPU.

    What the CPU does is told by its own time, which other work on the machine does not enter.
    """
    if settings.only == "sparsity":
        return Speed(NOMINAL.flops, _counting_speed())
    device = settings.device
    side = PROBE if device == "cpu" else DEVICE_PROBE
    matrix = torch.randn(side, 2 * side, generator=torch.Generator().manual_seed(0))
    moved = matrix.to(device)
    clock = time.process_time if device == "cpu" else time.perf_counter
    with one_thread():  # as workers compute
        factor(moved, side // 2)  # the first calls load libraries
        visibility(matrix[:1], matrix[:1])
        factored = _timed(lambda: factor(moved, side // 2), clock)
        counted = _timed(lambda: visibility(matrix, 1.01 * matrix), time.process_time)
    return Speed(_factor_flops(side, 2 * side, side // 2) / factored, matrix.numel() / counted)


def _counting_speed() -> float:
    """Entries a second of reading two float32 matrices in memory and counting what changed."""
    base = torch.randn(DEVICE_PROBE, DEVICE_PROBE, generator=torch.Generator().manual_seed(0))
    tuned = 1.01 * base
    with one_thread():
        sparsity(base[:1], tuned[:1])  # the first call loads what is compiled
        taken = _timed(lambda: sparsity(base, tuned), time.process_time)
    return base.numel() / taken


def _timed(work: Callable[[], object], clock: Callable[[], float]) -> float:
    start = clock()
    work()
    return clock() - start
