"""A matrix trained on planted gradients by real AdamW, confined from a step on."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor, nn
from torch.optim import AdamW

from hodograph.training.interventions.subspace.basis import right_subspace
from hodograph.training.interventions.subspace.constraint import GradientConstraint
from hodograph.training.interventions.subspace.projection import ConfinedMatrix

ROWS, COLS, RANK, STEPS, SWITCH = 24, 32, 4, 45, 12
Build = Callable[[AdamW, list[ConfinedMatrix]], GradientConstraint]


@dataclass
class Confined:
    """What a run left: W_s, V, the weight at the end, and the constraint."""

    origin: Tensor
    basis: Tensor
    weight: Tensor
    constraint: GradientConstraint | None
    optimizer: AdamW

    @property
    def update(self) -> Tensor:
        """W - W_s in float64."""
        return self.weight.double() - self.origin.double()

    @property
    def leak(self) -> float:
        """Share of the update's energy outside span V, with a basis made exact."""
        exact = torch.linalg.qr(self.basis.double()).Q
        outside = self.update - self.update @ exact @ exact.T
        return float((outside.norm() / self.update.norm()) ** 2)


def planted_gradients() -> list[Tensor]:
    """Low-rank signal in every step, and noise of full rank."""
    generator = torch.Generator().manual_seed(1)
    left = torch.randn(ROWS, 2, generator=generator)
    right = torch.linalg.qr(torch.randn(COLS, 2, generator=generator)).Q
    return [
        (left * (torch.rand(2, generator=generator) + 0.5)) @ right.T
        + 0.3 * torch.randn(ROWS, COLS, generator=generator)
        for _ in range(STEPS)
    ]


@cache
def confined_run(
    build: Build | None,
    *,
    decay: float = 0.0,
    clip: float | None = None,
    parts: int = 1,
    transposed: bool = False,
) -> Confined:
    """Train one matrix; from SWITCH on inside the leading subspace of its own update.

    Equal arguments share one run. `parts` splits each gradient into that many backward passes;
    `transposed` stores the weight as GPT-2's Conv1D does.
    """
    start = torch.randn(ROWS, COLS, generator=torch.Generator().manual_seed(2)) * 0.02

    def stored(matrix: Tensor) -> Tensor:
        return (matrix.T if transposed else matrix).contiguous()

    weight = nn.Parameter(stored(start).clone())
    optimizer = AdamW([weight], lr=1e-3, betas=(0.9, 0.98), weight_decay=decay)
    constraint, origin, basis = None, start, torch.empty(0)
    for step, gradient in enumerate(planted_gradients()):
        if step == SWITCH:
            origin = stored(weight.detach().clone()).clone()
            basis = right_subspace(origin - start, RANK).float()
            matrix = ConfinedMatrix("w", weight, transposed, basis, origin)
            constraint = build(optimizer, [matrix]) if build else None
        for _ in range(parts):
            (weight * stored(gradient) / parts).sum().backward()
        if constraint is not None:
            constraint.on_gradients()
        if clip is not None:
            nn.utils.clip_grad_norm_([weight], clip)
        optimizer.step()
        weight.grad = None
    return Confined(origin, basis, stored(weight.detach()), constraint, optimizer)
