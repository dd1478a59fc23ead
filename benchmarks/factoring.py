"""Factoring against full SVDs: a pair of matrices, and a trajectory of five.

    python benchmarks/factoring.py [--small]

The pair: W0, W1 and their difference; principal angles on both sides at k = min(512, p / 2), the
default, and at k = p / 8; both spectra, the update's top 16, and certificates. The baseline is
three float64 SVDs in their best orientation with the same angles; the naive one calls
torch.linalg.svd on the matrices as they lie. The trajectory: five checkpoints of one W0 at both k.
"""

import sys

import torch

from harness import interleaved, machine, power_law, table, update
from hodograph.diagnostics.rotation import principal_size, rotation
from hodograph.linalg.certificates import shift_error, subspace_error
from hodograph.linalg.factor import factor
from hodograph.linalg.factors import Factors
from hodograph.linalg.reference import by_svd
from hodograph.linalg.subspaces import principal_angles

SHAPES = [(576, 1536), (1024, 4096), (2048, 2048), (2048, 6144), (4096, 4096)]
KINDS = ("dense", "low", "tiny")
TOP = 16


def angles(base: Factors, tuned: Factors) -> tuple[torch.Tensor, torch.Tensor]:
    """Principal angles of the left and of the right subspaces."""
    return (
        principal_angles(base.u_MK, tuned.u_MK)[0],
        principal_angles(base.v_NK, tuned.v_NK)[0],
    )


def fast_pair(base: torch.Tensor, tuned: torch.Tensor, k: int) -> tuple[Factors, Factors, Factors]:
    """What hodograph computes of a pair, certificates included."""
    found = factor(base, k), factor(tuned, k), factor(tuned - base, TOP)
    angles(found[0], found[1])
    shift_error(found[0], found[1])
    for factors, size in zip(found, (k, k, TOP), strict=True):
        subspace_error(factors, size)
    return found


def svd_pair(base: torch.Tensor, tuned: torch.Tensor, k: int) -> tuple[Factors, Factors, Factors]:
    """The same by full SVDs of the contiguous tall orientation."""
    found = by_svd(base, k), by_svd(tuned, k), by_svd(tuned - base, TOP)
    angles(found[0], found[1])
    return found


def naive_pair(base: torch.Tensor, tuned: torch.Tensor, k: int) -> None:
    """The same by torch.linalg.svd on the matrices as they lie."""
    found = [torch.linalg.svd(w.double(), full_matrices=False) for w in (base, tuned, tuned - base)]
    (u0, _, v0), (u1, _, v1), _ = found
    principal_angles(u0[:, :k], u1[:, :k])
    principal_angles(v0[:k].T, v1[:k].T)


def pair_row(shape: tuple[int, int], kind: str, rounds: int, k: int) -> list[str]:
    """Times, ratios and agreement for one shape, kind of update and size of the subspaces."""
    base = power_law(*shape)
    tuned = update(base, kind)
    seconds = interleaved(
        {
            "fast": lambda: fast_pair(base, tuned, k),
            "svd": lambda: svd_pair(base, tuned, k),
            "naive": lambda: naive_pair(base, tuned, k),
        },
        rounds,
    )
    fast, slow = fast_pair(base, tuned, k), svd_pair(base, tuned, k)
    gap = max(
        float((a - b).abs().max())
        for a, b in zip(angles(*fast[:2]), angles(*slow[:2]), strict=True)
    )
    shifts = [float((f[1].sigma_R - f[0].sigma_R).norm()) for f in (fast, slow)]
    bound = rotation(fast[0], fast[1], k)["certificate_angles"]
    return [
        f"{shape[0]} x {shape[1]}, {k}",
        kind,
        f"{seconds['svd']:.2f}",
        f"{seconds['fast']:.2f}",
        f"{seconds['svd'] / seconds['fast']:.1f}",
        f"{seconds['naive'] / seconds['fast']:.1f}",
        f"{gap:.0e} (certified {bound:.0e})",
        f"{abs(shifts[0] - shifts[1]) / shifts[1]:.0e} (certified {shift_error(*fast[:2]):.0e})",
        "+".join(sorted({f.method for f in fast})),
    ]


def sizes(shape: tuple[int, int]) -> list[int]:
    """Both sizes of the subspaces: the default one first."""
    return list(dict.fromkeys((principal_size(*shape, 512), min(shape) // 8)))


def trajectory_row(shape: tuple[int, int], k: int, checkpoints: int = 5) -> list[str]:
    """Five checkpoints of one W0: shared factors against SVDs that share it and that do not."""
    base = power_law(*shape)
    ends = [
        base + (t / checkpoints) * (update(base, "low") - base) for t in range(1, 1 + checkpoints)
    ]

    def shared(by):
        first = by(base, k)
        for end in ends:
            angles(first, by(end, k))
            by(end - base, TOP)

    seconds = interleaved(
        {
            "fast": lambda: shared(factor),
            "shared": lambda: shared(by_svd),
            "separate": lambda: [svd_pair(base, end, k) for end in ends],
        },
        rounds=1,
    )
    return [
        f"{shape[0]} x {shape[1]}, {k}",
        f"{seconds['fast']:.2f}",
        f"{seconds['shared'] / seconds['fast']:.1f}",
        f"{seconds['separate'] / seconds['fast']:.1f}",
    ]


def main() -> None:
    """Print both tables as Markdown."""
    small = "--small" in sys.argv
    shapes = SHAPES[:2] if small else SHAPES
    print(machine(), "\n")
    rows = []
    for shape in shapes:
        small_enough = shape[0] * shape[1] < 1 << 22
        for kind in KINDS if small_enough else KINDS[:1]:
            for k in sizes(shape):
                rows.append(pair_row(shape, kind, 3 if small_enough else 1, k))
                print(rows[-1], file=sys.stderr, flush=True)
    headings = ["shape, k", "update", "3 SVDs, s", "hodograph, s", "ratio", "to naive",
                "angles differ by, degrees", "NSS differs by, relative", "method"]  # fmt: skip
    print(table(headings, rows), "\n")
    rows = [trajectory_row(shape, k) for shape in shapes[1:4] for k in sizes(shape)]
    print(table(["shape, k", "hodograph, s", "to SVDs sharing W0", "to separate pairs"], rows))


if __name__ == "__main__":
    main()
