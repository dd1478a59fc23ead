"""One thread, interleaved runs in one process, CPU time, medians: what every benchmark shares."""

import os
import platform
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from hodograph.cli.progress import bars
from hodograph.processes import one_thread

T = TypeVar("T")
Run = Callable[[], object]


def interleaved(runs: dict[str, Run], rounds: int) -> dict[str, float]:
    """Median CPU seconds of each run; the runs take turns, so that drift meets all alike."""
    taken: dict[str, list[float]] = {name: [] for name in runs}
    with one_thread():
        for _ in range(rounds):
            for name, run in runs.items():
                start = time.process_time()
                run()
                taken[name].append(time.process_time() - start)
    return {name: statistics.median(times) for name, times in taken.items()}


def cpu_of_all() -> float:
    """CPU seconds of this process, and of those it has started and seen end."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime


def under_a_bar(work: Sequence[tuple[str, float, Callable[[], T]]]) -> list[T]:
    """Results of pieces of work, done in turn under a bar with the time left, on standard error.

    Args:
        work: name, cost in any unit, and what is to be done.
    """
    results: list[T] = []
    with bars() as progress:
        task = progress.add_task("", total=sum(cost for _, cost, _ in work))
        for name, cost, run in work:
            progress.update(task, description=name)
            results.append(run())
            progress.advance(task, cost)
    return results


def machine() -> str:
    """Hardware and versions, for the head of a table."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "scipy", "numpy"))
    python = platform.python_version()
    return f"{model}, {os.cpu_count()} cores, one thread used; Python {python}, {packages}"


def table(headings: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(headings) + " |", "|" + "---|" * len(headings)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def power_law(rows: int, cols: int, seed: int = 0) -> torch.Tensor:
    """A weight-like matrix on the bfloat16 grid: sigma_i = i^-0.3, four outliers, RMS 0.02."""
    generator = np.random.default_rng(seed)
    short, long = min(rows, cols), max(rows, cols)
    sigma = np.arange(1, short + 1) ** -0.3
    sigma[:4] *= np.linspace(12, 4, 4)
    basis = np.linalg.qr(generator.standard_normal((short, short)))[0]
    matrix = (basis * sigma) @ generator.standard_normal((short, long))
    matrix *= 0.02 / np.sqrt(np.mean(matrix**2))
    oriented = matrix if rows <= cols else matrix.T
    return torch.from_numpy(oriented).float().to(torch.bfloat16).float().contiguous()


def update(base: torch.Tensor, kind: str, seed: int = 1) -> torch.Tensor:
    """Tuned weights: a dense update, one of low stable rank, or a tiny and sparse one."""
    generator = torch.Generator().manual_seed(seed)
    rows, cols = base.shape
    noise = torch.randn(rows, cols, generator=generator)
    if kind == "dense":
        step, size = noise, 1e-2
    elif kind == "low":
        low = torch.randn(rows, 24, generator=generator) @ torch.randn(
            24, cols, generator=generator
        )
        step, size = low / low.norm() + 0.3 * noise / noise.norm(), 1e-3
    else:
        step, size = noise * (torch.rand(rows, cols, generator=generator) < 0.1), 3e-4
    return base + step * (size * base.norm() / step.norm())
