"""How often the lock is found where it was planted, and where it was not.

    python benchmarks/calibrate_lock.py [MATRICES_A_CELL]

Trajectories of six checkpoints of 160 x 160 matrices, K = 16, written as checkpoints and measured
by `hodograph.measure` with its default thresholds, as float32 and as bfloat16 storage shows them.
A step has entries of about `size`; W0 has a standard deviation of 0.05, where a ULP of bfloat16 is
2.4e-4. The noise is in units of the step's own entries.

M = N = 160, K planted rank.
"""

import sys
import tempfile
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors.torch import save_file
from torch import Tensor

from harness import machine, table
from hodograph import measure
from hodograph.tables.thresholds import LockThresholds

SIDE, CHECKPOINTS = 160, 6
SIZES = (1e-3, 4e-4, 1e-4)
STANDINGS = ("locked", "not locked", "undetermined")
LOCKS = ("lock", "lock, decaying rate")
PLANTED = {  # what is planted: ranks, noise
    "Brownian, no structure": ((SIDE,), (0.0,)),
    "new directions each interval": ((4, 16, 32), (0.1, 0.5)),
    "new directions, decaying rate": ((4, 16, 32), (0.1, 0.5)),
    "new directions, last interval shrinks": ((4, 16, 32), (0.1, 0.5)),
    "lock that leaves half-way": ((4, 16, 32), (0.1, 0.5)),
    "lock": ((4, 16, 32), (0.1, 0.3, 0.5)),
    "lock, decaying rate": ((4, 16, 32), (0.1, 0.3, 0.5)),
}


@dataclass(frozen=True)
class Cell:
    """One kind of trajectory."""

    planted: str
    rank: int
    noise: float
    size: float


def rate(planted: str, step: int) -> float:
    """Learning rate of an interval relative to the first; decay is linear."""
    if "decaying" in planted:
        return 1 - (step - 1) / CHECKPOINTS
    return 0.02 if "shrinks" in planted and step == CHECKPOINTS else 1.0


def low_rank(left_MK: Tensor, right_KN: Tensor) -> Tensor:
    """A product with entries of unit variance."""
    return left_MK @ right_KN / left_MK.shape[1] ** 0.5


def step_of(cell: Cell, step: int, basis: tuple[Tensor, Tensor], g: torch.Generator) -> Tensor:
    """One interval's update: in the planted directions, in new ones, or in none."""

    def random(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=g)

    left_MK, right_KN = basis
    held = cell.planted in LOCKS or ("half-way" in cell.planted and step <= CHECKPOINTS // 2)
    if held:
        update_MN = low_rank(left_MK * (1 + 0.3 * random(1, cell.rank)), right_KN)
    elif cell.planted.startswith("Brownian"):
        update_MN = random(SIDE, SIDE)
    else:
        update_MN = low_rank(random(SIDE, cell.rank), random(cell.rank, SIDE))
    noisy_MN = update_MN + cell.noise * random(SIDE, SIDE)
    return cell.size * rate(cell.planted, step) * noisy_MN


def trajectory(cell: Cell, seed: int) -> list[Tensor]:
    """W0 and the checkpoints after it."""
    g = torch.Generator().manual_seed(seed)
    basis = (torch.randn(SIDE, cell.rank, generator=g), torch.randn(cell.rank, SIDE, generator=g))
    weights = [0.05 * torch.randn(SIDE, SIDE, generator=g)]
    for step in range(1, CHECKPOINTS + 1):
        weights.append(weights[-1] + step_of(cell, step, basis, g))
    return weights


def measured(cell: Cell, matrices: int, seed: int, folder: Path) -> list[dict[str, Any]]:
    """One row a storage: the product's standings and verdict, captures, density."""
    paths = [trajectory(cell, seed + index) for index in range(matrices)]
    files = []
    for step in range(CHECKPOINTS + 1):
        files.append(folder / f"step_{step}.safetensors")
        names = (f"model.layers.{index}.self_attn.q_proj.weight" for index in range(matrices))
        save_file({n: path[step] for n, path in zip(names, paths, strict=True)}, files[-1])
    measurement = measure(files[0], files[1:], also_bf16=True, permutations=1)
    found = []
    for storage, entry in measurement.summary["lock"].items():
        rows = measurement.matrices
        rows = rows[rows["storage"] == storage]
        captures = rows.loc[rows["lock_counts"] == 1, "capture16"]
        found.append(asdict(cell) | entry["matrices"] | {
            "storage": storage, "verdict": entry["verdict"],
            "low": captures.min(), "high": captures.max(),
            "density": rows.loc[rows["step"] == 1, "density"].mean(),
        })  # fmt: skip
    return found


def printed(cells: pd.DataFrame) -> str:
    """The whole table over noise levels: float32 over all sizes, bfloat16 for each."""
    lines = []
    cells = cells.assign(seen=cells["size"].where(cells["storage"] == "bfloat16", 0.0))
    for planted, rank, storage, size in product(
        PLANTED, sorted(set(cells["rank"])), ("float32", "bfloat16"), (0.0, *SIZES)
    ):
        cell = cells[
            (cells["planted"] == planted) & (cells["rank"] == rank)
            & (cells["storage"] == storage) & (cells["seen"] == size)
        ]  # fmt: skip
        if len(cell):
            known = cell["low"].notna().any()
            capture = f"{cell['low'].min():.2f} to {cell['high'].max():.2f}" if known else ""
            density = f"{100 * cell['density'].mean():.0f} %" if size else ""
            lines.append([planted, "" if rank == SIDE else str(rank), storage,
                          f"{size:g}" if size else "all", density, capture,
                          *(str(cell[one].sum()) for one in STANDINGS)])  # fmt: skip
    headings = ["planted", "rank", "storage", "size", "visible, first interval",
                "capture where counted", *STANDINGS]  # fmt: skip
    return table(headings, lines)


def rates(cells: pd.DataFrame) -> str:
    """Locks found and false alarms in each storage, by matrix and by run (the cells)."""
    lines = []
    for storage, label in product(("float32", "bfloat16"), (*LOCKS, "no lock")):
        of_label = cells["planted"] == label if label in LOCKS else ~cells["planted"].isin(LOCKS)
        part = cells[of_label & (cells["storage"] == storage)]
        locked, total = int(part["locked"].sum()), int(part[list(STANDINGS)].sum().sum())
        decided = total - int(part["undetermined"].sum())
        runs = [str((part["verdict"] == one).sum()) for one in STANDINGS]
        lines.append([label, storage, str(total), str(decided), str(locked),
                      f"{100 * locked / decided:.1f} %", f"{100 * locked / total:.1f} %",
                      " / ".join(runs)])  # fmt: skip
    return table(["planted", "storage", "trajectories", "decided", "called locked",
                  "of the decided", "of all", f"runs: {' / '.join(STANDINGS)}"], lines)  # fmt: skip


def main() -> None:
    """Print the rates and the whole table as Markdown."""
    matrices = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for planted, (ranks, noises) in PLANTED.items():
            for number, (size, rank, noise) in enumerate(product(SIZES, ranks, noises)):
                seed = 1000 * number  # the same W0 and directions for every kind
                cell = Cell(planted, rank, noise, size)
                found += measured(cell, matrices, seed, Path(folder))
    cells = pd.DataFrame(found)
    print(machine(), "\n")
    print(f"{matrices} matrices a cell; sizes {SIZES}; thresholds {LockThresholds()}\n")
    print(rates(cells), "\n")
    print(printed(cells))


if __name__ == "__main__":
    main()
