"""Overlaps that bfloat16 storage alone gives at the densities of a published table.

    python benchmarks/storage_null.py [NAME=FOLDER ...]

An isotropic Gaussian update is added to W0 and both are looked at in bfloat16; in every matrix its
scale is set so that the printed share of weights changes. Nothing else of the paper enters. W0 is a
Gaussian matrix, in float32 and rounded to bfloat16, and the matrices of every checkpoint folder
named, rounded to bfloat16, embeddings left out.
"""

import sys
from collections.abc import Iterable, Iterator

import numpy as np
import torch

from harness import machine, table
from hodograph.checkpoints import open_checkpoint
from hodograph.diagnostics.gate import gate_of
from hodograph.diagnostics.landing import landing
from hodograph.diagnostics.masks import masks_of
from hodograph.diagnostics.strata import STRATA, stratum_of
from hodograph.diagnostics.visibility import look
from hodograph.linalg.factor import factor
from hodograph.matrices.bits import bits_of
from hodograph.matrices.precision import on_bfloat16_grid, to_bfloat16
from hodograph.processes import one_thread

RANK = 64
PRINTED = (  # Shen et al., arXiv 2606.07082: density, low-magnitude, principal overlap, in %
    ("SFT", 92.73, 31.88, 29.66),
    ("OPD", 46.28, 53.59, 27.31),
    ("RLVR", 27.76, 73.48, 26.65),
)
NAMES = ("low_30", "principal_30")


def matrices_of(folder: str) -> Iterator[torch.Tensor]:
    """Matrices of a checkpoint with sides of 128 or more, embeddings left out."""
    checkpoint = open_checkpoint(folder)
    for name, header in checkpoint.headers.items():
        if len(header.shape) == 2 and min(header.shape) >= 2 * RANK and "embed" not in name:
            yield checkpoint.read(name).float()


def overlaps(base: torch.Tensor, generator: torch.Generator) -> list[list[float]]:
    """For each density: the density reached, low and principal overlap."""
    masks = masks_of(base, factor(base, RANK), RANK)
    entries_S = np.bincount(stratum_of(bits_of(base)), minlength=STRATA).astype(float)
    found = []
    for _, density, _, _ in PRINTED:
        gate = gate_of(entries_S, density / 100, on_grid=on_bfloat16_grid(base))
        if gate is None:
            raise ValueError(f"no update has a density of {density} %")
        step = torch.randn(base.shape, generator=generator) * gate.scale
        columns = landing(look(masks.base, base + step), masks)
        shown = float((to_bfloat16(base + step) != to_bfloat16(base)).double().mean())
        found.append([shown, *(columns[f"overlap_{name}"] for name in NAMES)])
    return found


def main() -> None:
    """Print the table as Markdown."""
    generator = torch.Generator().manual_seed(0)
    gaussian = torch.randn(2048, 2048, generator=generator) * 0.02
    named = dict(argument.split("=", 1) for argument in sys.argv[1:])
    sources: dict[str, Iterable[torch.Tensor]] = {
        "Gaussian, not rounded": [gaussian],
        "Gaussian": [to_bfloat16(gaussian)],
    }
    for name, folder in named.items():
        sources[name] = (to_bfloat16(matrix) for matrix in matrices_of(folder))
    printed = [f"{overlap}" for _, _, *pair in PRINTED for overlap in pair]
    rows, reached = [["printed by the paper", "", *printed]], []
    for name, matrices in sources.items():
        per_matrix = np.array([overlaps(base, generator) for base in matrices])
        means = 100 * per_matrix.mean(axis=0)
        shown = [f"{value:.2f}" for value in means[:, 1:].flatten()]
        rows.append([name, str(len(per_matrix)), *shown])
        reached.append(f"{name}: " + ", ".join(f"{value:.2f}" for value in means[:, 0]))
    headings = ["W0", "matrices"]
    for name, density, _, _ in PRINTED:
        headings += [f"{name} ({density} %): low", "principal"]
    print(machine(), "\n")
    print(table(headings, rows), "\n")
    print("Densities reached, %: " + "; ".join(reached))


if __name__ == "__main__":
    with one_thread():
        main()
