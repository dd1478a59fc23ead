"""The null of the principal angles against simulated isotropic updates.

    python benchmarks/calibrate_angles.py

For spectra, shapes and relative norms: the mean angle of simulated updates, and the first-order
null over it. `s / spacing` is the update's entry deviation in units of the spacing of W0's singular
values around k, the quantity that decides whether the first order holds.
"""

import numpy as np
import torch

from harness import interleaved, machine, table
from hodograph.diagnostics.rotation import rotation
from hodograph.diagnostics.rotation_null import isotropic_turn
from hodograph.linalg.factor import factor
from hodograph.linalg.factors import Factors
from hodograph.processes import one_thread

SHAPES = ((512, 512), (256, 1024), (1024, 256))
RELATIVE = (1e-4, 1e-3, 1e-2, 3e-2, 1e-1)
SIMULATED = 4
SIDES = ("left", "right")


def spectra(size: int) -> dict[str, np.ndarray]:
    """Singular values by name."""
    index = np.arange(1, size + 1)
    return {
        "i^-0.3": index**-0.3,
        "i^-1": 1.0 / index,
        "exp(-6 i / p)": np.exp(-6 * index / size),
        "nearly flat": 1.02 - 0.02 * index / size,
    }


def planted(sigma: np.ndarray, rows: int, cols: int) -> torch.Tensor:
    """A matrix with these singular values and random singular vectors."""
    generator = np.random.default_rng(0)
    left, right = (
        np.linalg.qr(generator.standard_normal((n, len(sigma))))[0] for n in (rows, cols)
    )
    return torch.from_numpy((left * sigma) @ right.T)


def simulated(base: torch.Tensor, factors: Factors, k: int, scale: float) -> np.ndarray:
    """Mean angle of each simulated update, left and right."""
    generator = torch.Generator().manual_seed(0)
    found = []
    for _ in range(SIMULATED):
        step = torch.randn(base.shape, generator=generator, dtype=torch.float64)
        columns = rotation(factors, factor(base + scale * step, k), k)
        found.append([columns[f"angle_{side}_mean"] for side in SIDES])
    return np.array(found)


def rows_of(name: str, base: torch.Tensor) -> list[list[str]]:
    """One row a relative norm."""
    rows, cols = base.shape
    k = min(rows, cols) // 2
    factors, found = factor(base, k), []
    turn = isotropic_turn(factors, rows, cols, k, seed=0)
    sigma, tenth = factors.sigma_R, k // 10
    spacing = float(sigma[k - 1 - tenth] - sigma[k + tenth]) / (2 * tenth + 1)
    for relative in RELATIVE:
        scale = relative * float(sigma.norm()) / (rows * cols) ** 0.5
        drawn = simulated(base, factors, k, scale)
        means = turn.means(scale) if turn is not None else {}
        nulls = [means.get(f"angle_{side}_mean_null") for side in SIDES]
        angles = drawn.mean(axis=0)
        ratios = ["empty" if null is None else f"{null / angle:.3f}"
                  for null, angle in zip(nulls, angles, strict=True)]  # fmt: skip
        spread = float((drawn.std(axis=0, ddof=1) / angles).max())
        identity = [name, f"{rows} x {cols}", f"{relative:g}", f"{scale / spacing:.2g}"]
        seen = [*(f"{angle:.4f}" for angle in angles), f"{spread:.1%}"]
        found.append([*identity, *seen, *ratios])
    return found


def cost() -> list[list[str]]:
    """Seconds of the null beside one factorisation."""
    found = []
    for rows, cols in ((1536, 1536), (1536, 8960)):
        base = planted(spectra(1536)["i^-0.3"], rows, cols)
        factors = factor(base, 512)
        seconds = interleaved(
            {
                "factor": lambda base=base: factor(base, 512),
                "null": lambda factors=factors, shape=(rows, cols): isotropic_turn(
                    factors, *shape, 512, 0
                ),
            },
            3,
        )
        found.append([f"{rows} x {cols}", *(f"{seconds[name]:.2f}" for name in ("factor", "null"))])
    return found


def main() -> None:
    """Print both tables as Markdown."""
    rows = [
        row
        for shape in SHAPES
        for name, sigma in spectra(min(shape)).items()
        for row in rows_of(name, planted(sigma, *shape))
    ]
    print(machine(), "\n")
    headings = ["spectrum", "shape", "relative norm", "s / spacing", "left, degrees", "right",
                "spread of a draw", "null / simulated, left", "right"]  # fmt: skip
    print(table(headings, rows), "\n")
    print(table(["shape", "factoring W0, s", "null, once a matrix, s"], cost()))


if __name__ == "__main__":
    with one_thread():
        main()
