"""How far bfloat16 storage moves the stable rank of planted updates, and whether it is flagged.

    python benchmarks/calibrate_stable_rank.py [BASE]

W0 is the weight-like matrix of the harness and, with the folder BASE, three matrices of a model.
"""

import sys
from collections.abc import Iterator
from itertools import groupby

import torch
from torch import Tensor

from calibrate_overlap import Planted
from harness import machine, power_law, table
from hodograph.checkpoints import open_checkpoint
from hodograph.diagnostics.spectrum import resolution, stable_rank
from hodograph.linalg.factor import factor
from hodograph.matrices.update import Update
from hodograph.processes import one_thread

DENSITIES = (0.99, 0.9, 0.75, 0.6, 0.5, 0.4, 0.28, 0.1)
OFF = 0.2


def bases(folder: str | None) -> Iterator[Tensor]:
    """The W0s."""
    yield power_law(512, 1024)
    if folder is not None:
        checkpoint = open_checkpoint(folder)
        wanted = ("layers.3.self_attn.q_proj", "layers.10.self_attn.k_proj",
                  "layers.20.mlp.down_proj")  # fmt: skip
        for name in checkpoint.headers:
            if name.removesuffix(".weight").endswith(wanted):
                yield checkpoint.read(name).float()


def kinds(shape: torch.Size) -> dict[str, Tensor]:
    """Updates from rank 1 to full rank, one with rows of uneven size."""
    rows, cols = shape
    side = min(shape)
    generator = torch.Generator().manual_seed(0)

    def normal(*size: int) -> Tensor:
        return torch.randn(*size, generator=generator)

    def product(rank: int) -> Tensor:
        both = normal(rows, rank) @ normal(rank, cols)
        return both / both.norm()

    left, right = (torch.linalg.qr(normal(length, side))[0] for length in (rows, cols))
    noise = normal(rows, cols)
    return {
        "Gaussian": noise,
        "rank 1": product(1),
        "rank 8": product(8),
        "rank 4 and Gaussian, equal norms": product(4) + noise / noise.norm(),
        "singular values 1 / i": (left / torch.arange(1, side + 1)) @ right.T,
        "rows of uneven size": noise * torch.exp(1.5 * normal(rows, 1)),
    }


def seen(planted: Planted, step: Tensor, density: float) -> tuple[float, float, str]:
    """How far the stable rank is off, the noise share, and the flag."""
    tuned = planted.base + step * planted.scale_for(step, density)
    true = Update(planted.base, tuned, "float32")
    shown = true.in_bfloat16()
    sigma, sigma_shown = (factor(one.difference_MN, 1).sigma_R for one in (true, shown))
    found = resolution(shown, sigma_shown, density)
    off = stable_rank(sigma_shown) / stable_rank(sigma) - 1
    return off, found["noise_share"], found["reliability"]


def main() -> None:
    """Print one row a kind of update and density: the range over the W0s."""
    found = [
        (kind, density, *seen(planted, step, density))
        for planted in map(Planted, bases(sys.argv[1] if len(sys.argv) > 1 else None))
        for kind, step in kinds(planted.base.shape).items()
        for density in DENSITIES
    ]
    found.sort(key=lambda one: (one[0], -one[1]))
    rows = []
    for (kind, density), group in groupby(found, key=lambda one: one[:2]):
        offs, shares, words = zip(*(one[2:] for one in group), strict=True)
        off, share = (
            f"{min(offs):+.0%} to {max(offs):+.0%}",
            f"{min(shares):.2g} to {max(shares):.2g}",
        )
        rows.append([kind, f"{density:.0%}", off, share, ", ".join(sorted(set(words)))])
    print(machine(), "\n")
    print(table(["update", "visible", "stable rank off", "noise share", "reliability"], rows), "\n")
    off = [one for one in found if abs(one[2]) > OFF]
    missed = [one for one in off if one[4] == "ok"]
    flagged = [one for one in found if one[4] != "ok" and abs(one[2]) <= OFF]
    print(
        f"More than {OFF:.0%} off: {len(off)} of {len(found)}; of them not flagged: {len(missed)}."
    )
    print(f"Flagged, though at most {OFF:.0%} off: {len(flagged)}.")


if __name__ == "__main__":
    with one_thread():
        main()
