"""Matrices with two updates of each: weight-like, of two checkpoints, adversarial."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from harness import power_law, update
from stored import StoredMatrix, stored_matrices

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from planted.adversarial import ADVERSARIAL, with_values

SIZE, NOISE = 1e-3, 0.1  # of an adversarial update, and of what tells a second from the first

Build = Callable[[torch.Generator], Tensor]


def falling(first: float, last: float, count: int) -> Tensor:
    """Values at equal distances."""
    return torch.linspace(first, last, count, dtype=torch.float64)


def joined(*values: Tensor | list[float]) -> Tensor:
    """All of the values, in this order."""
    return torch.cat([torch.as_tensor(part, dtype=torch.float64) for part in values])


EDGES: dict[str, Build] = {
    "one strong direction": lambda g: with_values(g, joined([1e4], falling(20, 1, 39))),
    "gap of 1e-10 at 16": lambda g: with_values(
        g, joined(falling(40, 25, 16), falling(25 - 1e-10, 2, 24))
    ),
    "gap of 1e-8 at 80 of 160": lambda g: with_values(
        g, joined(falling(20, 10, 80), falling(10 - 1e-8, 5, 80)), 240
    ),
    "eight clusters of 160": lambda g: with_values(g, falling(8, 1, 8).repeat_interleave(20), 240),
    "graded to 1e-6 over 160": lambda g: with_values(
        g, torch.logspace(0, -6, 160, dtype=torch.float64), 240
    ),
    "graded to 1e-9 over 40": lambda g: with_values(
        g, torch.logspace(0, -9, 40, dtype=torch.float64)
    ),
    "zeros": lambda g: torch.zeros(60, 40, dtype=torch.float64),
    "one row": lambda g: torch.randn(1, 50, generator=g, dtype=torch.float64),
    "one column": lambda g: torch.randn(50, 1, generator=g, dtype=torch.float64),
    "k above the side": lambda g: torch.randn(6, 9, generator=g, dtype=torch.float64),
    "two by two": lambda g: torch.randn(2, 2, generator=g, dtype=torch.float64),
}


@dataclass(frozen=True)
class Case:
    """W0 and two updates of it.

    Attributes:
        name: tells it from the others of its set.
        load: gives W0, W1 and another W1.
        cost: what decomposing them takes, in units that are alike for all.
    """

    name: str
    load: Callable[[], tuple[Tensor, Tensor, Tensor]]
    cost: float


def planted_cases(shapes: list[tuple[int, int]]) -> list[Case]:
    """Weight-like matrices with two updates of a kind."""

    def load(shape: tuple[int, int], kind: str) -> tuple[Tensor, Tensor, Tensor]:
        base = power_law(*shape)
        return base, update(base, kind, 1), update(base, kind, 2)

    return [
        Case(f"{shape[0]} x {shape[1]}, {kind}", partial(load, shape, kind), cost(*shape))
        for shape in shapes
        for kind in ("dense", "low", "tiny")
    ]


def stored_cases(base: Path, tuned: Path, every: int) -> list[Case]:
    """Matrices of a pair of checkpoints: their update, and what bfloat16 shows of it."""

    def load(matrix: StoredMatrix) -> tuple[Tensor, Tensor, Tensor]:
        before, after = (one.float() for one in matrix.read())
        return before, after, before + (after.bfloat16().float() - before.bfloat16().float())

    return [
        Case(one.parameter.name, partial(load, one), cost(one.block.rows, one.block.cols))
        for one in list(stored_matrices(base, tuned))[::every]
    ]


def adversarial_cases() -> Iterator[Case]:
    """Hard matrices as W0, hard matrices as the update, and edges."""
    for name, build in (ADVERSARIAL | EDGES).items():
        yield Case(f"W0: {name}", partial(hard_base, build), cost(60, 40))
        yield Case(f"D: {name}", partial(hard_update, build), cost(60, 40))
    gaussian = ADVERSARIAL["gaussian"]
    yield Case("no update", partial(same, gaussian), cost(60, 40))


def hard_base(build: Build) -> tuple[Tensor, Tensor, Tensor]:
    """A hard W0 and two dense updates."""
    generator = torch.Generator().manual_seed(0)
    base = build(generator)
    return base, *(base + SIZE * noise_like(base, generator) for _ in range(2))


def hard_update(build: Build) -> tuple[Tensor, Tensor, Tensor]:
    """A Gaussian W0 and a hard update, and the same update disturbed."""
    generator = torch.Generator().manual_seed(0)
    step = build(generator)
    base = noise_like(step, generator)
    second = step + NOISE * noise_like(step, generator)
    return base, base + SIZE * step, base + SIZE * second


def same(build: Build) -> tuple[Tensor, Tensor, Tensor]:
    """A W0 that does not change."""
    base = build(torch.Generator().manual_seed(0))
    return base, base, base


def noise_like(matrix: Tensor, generator: torch.Generator) -> Tensor:
    """Gaussian entries of the matrix's root mean square, or of 1 where that is zero."""
    scale = float(matrix.norm()) / matrix.numel() ** 0.5 or 1.0
    return scale * torch.randn(matrix.shape, generator=generator, dtype=torch.float64)


def cost(rows: int, cols: int) -> float:
    """Operations of a decomposition, but for a constant."""
    short, long = min(rows, cols), max(rows, cols)
    return short**2 * (long + 4 * short)
