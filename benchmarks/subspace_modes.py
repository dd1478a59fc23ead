"""How well each mode confines an update under Adam: the table of docs/design/subspace.md.

    python benchmarks/subspace_modes.py

One 256 x 256 matrix, 400 steps at lr 1e-4 on gradients of rank 8 with full-rank noise; from step
80 on it is confined to the leading 16 right singular vectors of its update so far. Real torch
AdamW and the constraint that trains. About ten seconds.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from harness import machine, table
from hodograph.training.interventions.subspace.basis import right_subspace
from hodograph.training.interventions.subspace.constraint import (
    CoordinateConstraint,
    GradientConstraint,
    UpdateConstraint,
)
from hodograph.training.interventions.subspace.projection import ConfinedMatrix

SIZE, RANK, STEPS, SWITCH = 256, 16, 400, 80
MODES = {
    "gradient": GradientConstraint,
    "update": UpdateConstraint,
    "adam_in_subspace": CoordinateConstraint,
}


@dataclass(frozen=True)
class Case:
    """One row: a mode, decay, and what holds the weights."""

    mode: str
    decay: float = 0.0
    dtype: torch.dtype = torch.float32
    norm_matched: bool = False

    @property
    def label(self) -> str:
        """The row's name."""
        extras = [
            f"decay {self.decay:g}" if self.decay else "",
            "norm matched" if self.norm_matched else "",
            "bfloat16 weights (refused in training)" if self.dtype == torch.bfloat16 else "",
        ]
        return ", ".join([f"`{self.mode}`", *filter(None, extras)])


CASES = (
    Case("none"),
    Case("gradient"),
    Case("gradient", decay=0.1),
    Case("update"),
    Case("update", decay=0.1),
    Case("update", norm_matched=True),
    Case("adam_in_subspace"),
    Case("update", dtype=torch.bfloat16),
)


def gradients() -> "list[Tensor]":
    """The gradients of every step, the same for every case."""
    generator = torch.Generator().manual_seed(1)
    left, right = (
        torch.randn(SIZE, 8, generator=generator),
        torch.randn(SIZE, 8, generator=generator),
    )
    basis = torch.linalg.qr(right).Q
    return [
        (left * (torch.rand(8, generator=generator) + 0.5)) @ basis.T
        + 0.5 * torch.randn(SIZE, SIZE, generator=generator)
        for _ in range(STEPS)
    ]


def run(case: Case, all_gradients: list[Tensor]) -> tuple[float, float]:
    """Energy of the update after the switch inside span V, and its norm."""
    start = torch.randn(SIZE, SIZE, generator=torch.Generator().manual_seed(2)) * 0.02
    weight = nn.Parameter(start.to(case.dtype))
    first = weight.detach().clone()
    optimizer = torch.optim.AdamW([weight], lr=1e-4, betas=(0.9, 0.98), weight_decay=case.decay)
    constraint = None
    for step, gradient in enumerate(all_gradients):
        if step == SWITCH:
            v_NK = right_subspace(weight.detach().float() - first.float(), RANK).float()
            origin = weight.detach().clone()
            if case.mode != "none":
                matrix = ConfinedMatrix("w", weight, False, v_NK.to(case.dtype), origin.clone())
                extras = {"norm_matched": True} if case.norm_matched else {}
                constraint = MODES[case.mode](optimizer, [matrix], **extras)
        weight.grad = gradient.to(case.dtype, copy=True)  # a constraint writes into it
        if constraint is not None:
            constraint.on_gradients()
        optimizer.step()
    update = weight.detach().double() - origin.double()
    outside = update - (update @ v_NK.double()) @ v_NK.double().T
    return 1 - float((outside.norm() / update.norm()) ** 2), float(update.norm())


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    taken = gradients()
    rows = []
    for case in CASES:
        inside, norm = run(case, taken)
        shown = f"{inside:.3f}" if 1 - inside > 1e-4 else f"1 - {1 - inside:.0e}"
        rows.append([case.label, shown, f"{norm:.2f}"])
    print(machine())
    print(table(["mode", "energy inside span V", "norm of the update"], rows))


if __name__ == "__main__":
    main()
