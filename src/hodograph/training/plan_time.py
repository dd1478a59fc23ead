"""From the work of a step to seconds, by what bounds it on a device."""

import time
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from hodograph.training.plan_memory import Layout

PROBE_CPU, PROBE_GPU = 1024, 8192  # side of the matrices whose product is timed
PROBE_BYTES = 1 << 28  # copied to time the memory: above what caches hold
LAUNCH = 10e-6
"""Seconds from one operation that PyTorch starts to the next, where the device waits for it.

Layers of transformers take about this on server CPUs; it is measured nowhere.
"""


@dataclass(frozen=True)
class Work:
    """One part of a step.

    Attributes:
        flops: floating-point operations, over all devices.
        started: operations that each device is told to do, one after another.
        moved: bytes that each device reads and writes, where they bound it.
    """

    flops: float
    started: float = 0.0
    moved: float = 0.0

    def __add__(self, other: "Work") -> "Work":
        return Work(
            self.flops + other.flops, self.started + other.started, self.moved + other.moved
        )


@dataclass(frozen=True)
class Speed:
    """What a device can do at most.

    Attributes:
        flops: operations a second of one large matrix product, in the precision of training.
        bandwidth: bytes a second that its memory reads or writes.
    """

    flops: float
    bandwidth: float

    def seconds(self, work: Work, processes: int) -> float:
        """The longest of arithmetic, memory traffic and starting operations."""
        arithmetic = work.flops / processes / self.flops
        return max(arithmetic, work.moved / self.bandwidth, work.started * LAUNCH)


def speed_of(layout: Layout) -> Speed | None:
    """Speed of the devices of a plan: of the GPU it names, else measured here.

    None where a GPU is planned for that is neither named nor here.
    """
    if layout.gpu is not None:
        return Speed(layout.gpu.flops, layout.gpu.bandwidth)
    if layout.on_gpu and not torch.cuda.is_available():
        return None
    return _measured()


@cache
def _measured() -> Speed:
    on_gpu = torch.cuda.is_available()
    side = PROBE_GPU if on_gpu else PROBE_CPU
    dtype, device = (torch.bfloat16, "cuda") if on_gpu else (torch.float32, "cpu")
    matrix = torch.randn(side, side, dtype=dtype, device=device)
    held = torch.zeros(PROBE_BYTES // 4, device=device)
    # the first of each loads libraries, others may share the machine
    product = min(_timed_product(matrix) for _ in range(6))
    copy = min(_timed_copy(held) for _ in range(4))
    return Speed(2 * side**3 / product, 2 * PROBE_BYTES / copy)


def _timed_product(matrix: Tensor) -> float:
    start = time.perf_counter()
    float((matrix @ matrix)[0, 0])  # reading an entry waits for the device
    return time.perf_counter() - start


def _timed_copy(held: Tensor) -> float:
    start = time.perf_counter()
    float(held.clone()[-1])
    return time.perf_counter() - start
