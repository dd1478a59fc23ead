"""What the overlap's nulls say of updates without geometry, and of planted geometry.

    python benchmarks/calibrate_overlap.py [DRAWS] [BASE TUNED]

W0 is the weight-like matrix of the harness, 1024 x 1024 on the bfloat16 grid. Null updates are
scaled to a density by bisection. BASE and TUNED are a pair of checkpoints: the update of their
largest matrix is permuted within it (and scaled), beside its own W0.
"""

import sys
from collections.abc import Callable

import numpy as np
import torch

from harness import machine, power_law, table
from hodograph.checkpoints import open_trajectory
from hodograph.diagnostics.energy import principal_energy
from hodograph.diagnostics.landing import landing
from hodograph.diagnostics.masks import Masks, masks_of
from hodograph.diagnostics.visibility import look
from hodograph.linalg.factor import factor
from hodograph.linalg.factors import Factors
from hodograph.matrices.bits import bits_of, count_changed
from hodograph.matrices.precision import to_bfloat16
from hodograph.processes import one_thread

DENSITIES = (0.9, 0.5, 0.28, 0.1)
RANK = 64
Draw = Callable[[torch.Generator], torch.Tensor]


class Planted:
    """One W0 with its factors and masks."""

    def __init__(self, base: torch.Tensor) -> None:
        self.base = to_bfloat16(base)
        self.factors: Factors = factor(self.base, RANK)
        self.masks: Masks = masks_of(self.base, self.factors, RANK)
        self.bits = bits_of(self.base)

    def landed(self, step: torch.Tensor) -> dict[str, float]:
        """The landing of one update."""
        return landing(look(self.masks.base, self.base + step), self.masks)

    def scale_for(self, step: torch.Tensor, density: float) -> float:
        """Factor that gives an update this density, by bisection."""
        low, high = -60.0, 20.0
        for _ in range(24):
            middle = (low + high) / 2
            changed = count_changed(self.bits, bits_of(self.base + step * 2.0**middle))
            low, high = (middle, high) if changed < density * len(self.bits) else (low, middle)
        return 2.0**high


def nulls(shape: torch.Size) -> dict[str, Draw]:
    """Updates whose entries do not depend on W0."""
    rows, cols = shape

    def student(generator: torch.Generator) -> torch.Tensor:
        normal = torch.randn(3, rows, cols, generator=generator)
        return torch.randn(shape, generator=generator) / normal.square().mean(dim=0).sqrt()

    def low_rank(generator: torch.Generator) -> torch.Tensor:
        left = torch.randn(rows, 8, generator=generator)
        return left @ torch.randn(8, cols, generator=generator)

    return {
        "Gaussian": lambda generator: torch.randn(shape, generator=generator),
        "Student t, 3 degrees": student,
        "rank 8": low_rank,
    }


def calibration(name: str, planted: Planted, draw: Draw, draws: int) -> list[list[str]]:
    """One row a density: odds ratio, rejections and the gate, for principal and low at 30 %."""
    rows = []
    for density in DENSITIES:
        generator = torch.Generator().manual_seed(0)
        scale = planted.scale_for(draw(generator), density)
        found = [planted.landed(draw(generator) * scale) for _ in range(draws)]
        cells = [name, f"{density:.0%}"]
        for mask in ("principal_30", "low_30"):
            z = [one[f"overlap_{mask}_z"] for one in found]
            gate = [one[f"overlap_{mask}"] - one[f"overlap_{mask}_gate"] for one in found]
            rejected = np.mean([score is not None and abs(score) > 1.96 for score in z])
            ratios = [one[f"overlap_{mask}_odds_ratio"] for one in found]
            cells += [spread(ratios), f"{rejected:.0%}", f"{100 * np.mean(gate):+.2f}"]
        rows.append(cells)
    return rows


def spread(ratios: list[float | None]) -> str:
    """Mean and standard deviation, or in how many draws no stratum told."""
    known = [ratio for ratio in ratios if ratio is not None]
    if len(known) < len(ratios):
        return f"none in {len(ratios) - len(known)} of {len(ratios)}"
    return f"{np.mean(known):.3f} ± {np.std(known):.3f}"


def geometry(planted: Planted) -> dict[str, torch.Tensor]:
    """One Gaussian update, and versions of it that avoid or seek W0's leading part."""
    noise = torch.randn(planted.base.shape, generator=torch.Generator().manual_seed(1))
    inside = torch.from_numpy(planted.masks.weights["principal_30"][planted.masks.cell_E])
    u, v = planted.factors.u_MK.float(), planted.factors.v_NK.float()
    core = u @ (u.T @ noise @ v) @ v.T
    outside = noise - u @ (u.T @ noise)
    outside = outside - (outside @ v) @ v.T
    return {
        "none": noise,
        "30 % damping on the principal mask": noise * (1 - 0.3 * inside.reshape(noise.shape)),
        "nothing in the top-64 subspaces": outside,
        "16 times chance in the top-64 subspaces": noise + 3 * core,
    }


def detection(planted: Planted) -> list[list[str]]:
    """One row a geometry and density: odds ratios, and the energy against an isotropic one."""
    rows = []
    for name, step in geometry(planted).items():
        energy = principal_energy(step.double(), planted.factors, RANK)
        shares = [energy[name] / energy[f"{name}_isotropic"]
                  for name in ("principal_energy_64", "principal_energy_left_64")]  # fmt: skip
        for density in (0.5, 0.28):
            found = planted.landed(step * planted.scale_for(step, density))
            ratios = [found[f"overlap_{mask}_30_odds_ratio"] for mask in ("principal", "low")]
            z = found["overlap_principal_30_z"]
            rows.append([name, f"{density:.0%}", f"{ratios[0]:.3f}", f"{z:+.1f}",
                         f"{ratios[1]:.3f}", *(f"{share:.2f}" for share in shares)])  # fmt: skip
    return rows


def largest_pair(base: str, tuned: str) -> tuple[torch.Tensor, torch.Tensor]:
    """W0 and D of the largest matrix that is no embedding."""
    trajectory = open_trajectory(base, [tuned])
    headers = trajectory.base.headers.values()
    matrices = [h for h in headers if len(h.shape) == 2 and "embed" not in h.name]
    name = max(matrices, key=lambda header: header.entries).name
    before, after = (c.read(name).float() for c in (trajectory.base, *trajectory.tuned))
    return before, after - before


def main() -> None:
    """Print both tables as Markdown."""
    draws = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    planted = Planted(power_law(1024, 1024))
    rows: list[list[str]] = []
    for name, draw in nulls(planted.base.shape).items():
        rows += calibration(name, planted, draw, draws)
    if len(sys.argv) > 3:
        base, step = largest_pair(sys.argv[2], sys.argv[3])
        flat = step.flatten()

        def permuted(generator: torch.Generator) -> torch.Tensor:
            return flat[torch.randperm(len(flat), generator=generator)].reshape(step.shape)

        rows += calibration("permuted, of a trained model", Planted(base), permuted, draws)
    print(machine(), "\n")
    print(f"{draws} draws a row\n")
    headings = ["update", "density"]
    for mask in ("principal", "low"):
        headings += [f"{mask}: odds ratio", "rejected at 5 %", "less the gate, points"]
    print(table(headings, rows), "\n")
    headings = ["planted", "density", "odds ratio, principal", "z", "odds ratio, low",
                "energy / isotropic, both sides", "left"]  # fmt: skip
    print(table(headings, detection(planted)))


if __name__ == "__main__":
    with one_thread():
        main()
