"""Factoring against full SVDs: pairs of matrices, and trajectories of five.

    python benchmarks/factoring.py [BASE TUNED] [--shapes 576x1536,1024x4096] [--kinds dense,low]
        [--rounds 3] [--layer 15] [--no-trajectories]

A pair is W0, W1 and their difference; principal angles on both sides at k = min(512, p / 2), the
default, and at k = p / 8; both spectra, the update's top 16, and certificates. The baseline is
three float64 SVDs in their best orientation with the same angles and no certificates; the naive one
calls torch.linalg.svd on the matrices as they lie, which for square ones is the same call. SVDs do
not depend on k: they run once a round, and the angles at each k are timed beside them.

With a pair of checkpoints the matrices of one layer are taken too. Without options all of it takes
about a quarter of an hour of one core. CPU time, medians of the rounds each row names.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from cyclopts import run
from torch import Tensor

from harness import interleaved, machine, power_law, table, under_a_bar, update
from hodograph.diagnostics.rotation import principal_size, rotation
from hodograph.linalg.certificates import shift_error, subspace_error
from hodograph.linalg.factor import factor
from hodograph.linalg.factors import Factors
from hodograph.linalg.subspaces import principal_angles
from stored import StoredMatrix, stored_matrices

Shape = tuple[int, int]
KINDS = ("dense", "low", "tiny")
SHAPES: dict[Shape, tuple[tuple[str, ...], int]] = {  # kinds of update, and rounds
    (576, 1536): (KINDS, 3),
    (1024, 4096): (KINDS, 3),
    (2048, 2048): (KINDS, 1),
    (2048, 6144): (KINDS, 1),
    (4096, 4096): (("dense",), 1),
}
PATHS = ((1024, 4096), (2048, 2048), (2048, 6144))
TOP, CHECKPOINTS = 16, 5
Svd = tuple[Tensor, Tensor, Tensor]
HEADINGS = ["shape, k", "update", "rounds", "3 SVDs, s", "hodograph, s", "ratio", "to naive",
            "angles differ by, degrees", "NSS differs by, relative", "method"]  # fmt: skip


@dataclass(frozen=True)
class Pair:
    """W0, W1 and how they are to be timed.

    Attributes:
        label: names the matrix in the table, without k.
        kind: of update.
        load: gives W0 and W1.
        shape: of both.
        rounds: of every contestant.
        naive: whether the naive calls are timed.
    """

    label: str
    kind: str
    load: Callable[[], tuple[Tensor, Tensor]]
    shape: Shape
    rounds: int
    naive: bool

    @property
    def cost(self) -> float:
        """What its rounds take, in units that are alike for all pairs."""
        wide = self.shape[0] < self.shape[1]
        return self.rounds * cubes(self.shape) * (3.5 if self.naive and wide else 1.25)


def cubes(shape: Shape) -> float:
    """Operations of a decomposition, but for a constant."""
    short, long = min(shape), max(shape)
    return short**2 * (long + 4 * short)


def sizes(shape: Shape) -> list[int]:
    """Both sizes of the subspaces: the default one first."""
    return list(dict.fromkeys((principal_size(*shape, 512), min(shape) // 8)))


def shown(seconds: float) -> str:
    """Seconds with as many digits as they are good to."""
    return f"{seconds:.2f}" if seconds >= 0.1 else f"{seconds:.1g}"


def as_it_lies(matrix: Tensor) -> Svd:
    """Left vectors, values and right vectors by torch.linalg.svd."""
    left, sigma, right_h = torch.linalg.svd(matrix.double(), full_matrices=False)
    return left, sigma, right_h.T


def best(matrix: Tensor) -> Svd:
    """The same of the contiguous tall orientation, which is the faster one."""
    if matrix.shape[0] >= matrix.shape[1]:
        return as_it_lies(matrix.contiguous())
    right, sigma, left = as_it_lies(matrix.T.contiguous())
    return left, sigma, right


def angles(base: Svd, tuned: Svd, k: int) -> tuple[Tensor, Tensor]:
    """Principal angles of the left and of the right subspaces."""
    return tuple(principal_angles(base[i][:, :k], tuned[i][:, :k])[0] for i in (0, 2))


def as_svd(factors: Factors) -> Svd:
    """Factors of ours as an SVD is kept here."""
    return factors.u_MK, factors.sigma_R, factors.v_NK


def fast_pair(base: Tensor, tuned: Tensor, k: int) -> tuple[Factors, Factors, Factors]:
    """What hodograph computes of a pair, certificates included."""
    found = factor(base, k), factor(tuned, k), factor(tuned - base, TOP)
    angles(as_svd(found[0]), as_svd(found[1]), k)
    shift_error(found[0], found[1])
    for factors, size in zip(found, (k, k, TOP), strict=True):
        subspace_error(factors, size)
    return found


def pair_rows(pair: Pair) -> list[list[str]]:
    """Times, ratios and agreement of one pair, at both sizes of the subspaces."""
    base, tuned = pair.load()
    kept: dict[str, Any] = {}

    def decomposed(name: str, by: Callable[[Tensor], Svd]) -> None:
        kept[name] = [by(matrix) for matrix in (base, tuned, tuned - base)]

    def turned(name: str, k: int) -> None:
        kept[f"{name} {k}"] = angles(kept[name][0], kept[name][1], k)

    def fast(k: int) -> None:
        kept[f"fast {k}"] = fast_pair(base, tuned, k)

    ks = sizes(pair.shape)
    baselines = {"svd": best} | ({"naive": as_it_lies} if pair.naive else {})
    runs: dict[str, Callable[[], None]] = {}
    for name, by in baselines.items():
        runs[name] = partial(decomposed, name, by)
        runs |= {f"{name} {k}": partial(turned, name, k) for k in ks}
    runs |= {f"fast {k}": partial(fast, k) for k in ks}
    seconds = interleaved(runs, pair.rounds)
    return [_pair_row(pair, k, seconds, kept) for k in ks]


def _pair_row(pair: Pair, k: int, seconds: dict[str, float], kept: dict[str, Any]) -> list[str]:
    ours, slow = seconds[f"fast {k}"], seconds["svd"] + seconds[f"svd {k}"]
    naive = slow if pair.shape[0] >= pair.shape[1] else None  # the same call
    if pair.naive:
        naive = seconds["naive"] + seconds[f"naive {k}"]
    found = kept[f"fast {k}"]
    ours_angles = angles(as_svd(found[0]), as_svd(found[1]), k)
    gap = max(
        float((a - b).abs().max()) for a, b in zip(ours_angles, kept[f"svd {k}"], strict=True)
    )
    shifts = [float((f[1] - f[0]).norm()) for f in (
        [factors.sigma_R for factors in found], [svd[1] for svd in kept["svd"]]
    )]  # fmt: skip
    bound = rotation(found[0], found[1], k)["certificate_angles"]
    return [
        f"{pair.label}, {k}",
        pair.kind,
        f"{pair.rounds}",
        shown(slow),
        shown(ours),
        f"{slow / ours:.1f}",
        "" if naive is None else f"{naive / ours:.1f}",
        f"{gap:.0e} (certified {bound:.0e})",
        f"{abs(shifts[0] - shifts[1]) / shifts[1]:.0e} (certified {shift_error(*found[:2]):.0e})",
        "+".join(sorted({factors.method for factors in found})),
    ]


def trajectory_rows(shape: Shape) -> list[list[str]]:
    """Five checkpoints of one W0: against SVDs that share W0's, and against separate pairs.

    Every decomposition is timed once; W0's counts once where it is shared, and five times where
    pairs are separate.
    """
    base = power_law(*shape)
    last = update(base, "low") - base
    ends = [base + (t / CHECKPOINTS) * last for t in range(1, 1 + CHECKPOINTS)]
    kept: dict[str, Any] = {}

    def first() -> None:
        kept["base"] = best(base)

    def others() -> None:
        kept["tuned"] = [best(end) for end in ends]
        for end in ends:
            best(end - base)

    def turned(k: int) -> None:
        for end in kept["tuned"]:
            angles(kept["base"], end, k)

    def fast(k: int) -> None:
        start = factor(base, k)
        subspace_error(start, k)
        for end in ends:
            tuned, change = factor(end, k), factor(end - base, TOP)
            angles(as_svd(start), as_svd(tuned), k)
            shift_error(start, tuned)
            subspace_error(tuned, k)
            subspace_error(change, TOP)

    ks = sizes(shape)
    runs: dict[str, Callable[[], None]] = {"base": first, "others": others}
    runs |= {f"svd {k}": partial(turned, k) for k in ks}
    runs |= {f"fast {k}": partial(fast, k) for k in ks}
    seconds = interleaved(runs, rounds=1)
    rows = []
    for k in ks:
        ours, shared = seconds[f"fast {k}"], seconds["others"] + seconds[f"svd {k}"]
        ratios = [(shared + times * seconds["base"]) / ours for times in (1, CHECKPOINTS)]
        rows.append([f"{shape[0]} x {shape[1]}, {k}", shown(ours), *(f"{r:.1f}" for r in ratios)])
    return rows


def planted(shape: Shape, kind: str) -> tuple[Tensor, Tensor]:
    """A weight-like W0, and W1 after an update of this kind."""
    base = power_law(*shape)
    return base, update(base, kind)


def in_float32(matrix: StoredMatrix) -> tuple[Tensor, Tensor]:
    """W0 and W1 as they are computed with."""
    base, tuned = matrix.read()
    return base.float(), tuned.float()


def planted_pairs(chosen: dict[Shape, tuple[Sequence[str], int]], rounds: int | None) -> list[Pair]:
    """Every shape and kind; where one round is run, naive calls are of the first kind alone."""
    pairs = []
    for shape, (kinds, usual) in chosen.items():
        times, wide = rounds or usual, shape[0] < shape[1]
        for kind in kinds:
            naive = wide and (times > 1 or kind == kinds[0])
            label = f"{shape[0]} x {shape[1]}"
            pairs.append(Pair(label, kind, partial(planted, shape, kind), shape, times, naive))
    return pairs


def layer_pairs(base: Path, tuned: Path, layer: int, rounds: int) -> list[Pair]:
    """The matrices of one layer of two checkpoints."""
    pairs = []
    for matrix in stored_matrices(base, tuned):
        if matrix.layer == layer:
            shape = matrix.block.rows, matrix.block.cols
            label, kind = f"{shape[0]} x {shape[1]}", f"{matrix.module}, layer {layer}"
            wide = shape[0] < shape[1]
            pairs.append(Pair(label, kind, partial(in_float32, matrix), shape, rounds, wide))
    return pairs


def main(
    *checkpoints: Path,
    shapes: str = "",
    kinds: str = "",
    rounds: int | None = None,
    layer: int = 15,
    trajectories: bool = True,
) -> None:
    """Print the tables as Markdown."""
    asked: list[Shape] = [tuple(map(int, one.split("x"))) for one in shapes.split(",") if one]
    named = tuple(kinds.split(",")) if kinds else None
    chosen = {
        shape: (named or usual, times)
        for shape in asked or SHAPES
        for usual, times in [SHAPES.get(shape, (KINDS, 1))]
    }
    pairs = planted_pairs(chosen, rounds)
    if checkpoints:
        pairs += layer_pairs(*checkpoints, layer, rounds or 3)
    paths = [shape for shape in PATHS if shape in chosen] if trajectories else []
    print(machine(), "\n", flush=True)
    work = [(f"{pair.label}, {pair.kind}", pair.cost, partial(pair_rows, pair)) for pair in pairs]
    for shape in paths:
        label = f"trajectory, {shape[0]} x {shape[1]}"
        work.append((label, CHECKPOINTS * cubes(shape), partial(trajectory_rows, shape)))
    found = under_a_bar(work)
    print(table(HEADINGS, [row for rows in found[: len(pairs)] for row in rows]), "\n")
    if paths:
        rows = [row for rows in found[len(pairs) :] for row in rows]
        print(table(["shape, k", "hodograph, s", "to SVDs sharing W0", "to separate pairs"], rows))


if __name__ == "__main__":
    run(main)
