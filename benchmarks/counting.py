"""Counting on bit patterns against the elementwise tests and sorts everyone runs.

    python benchmarks/counting.py [ENTRIES_IN_MILLIONS]

Sparsity: |a - b| > 1e-3 max(|a|, |b|) in float32. Low masks: torch.kthvalue of |W0| for both
alphas, then the overlap. Principal masks: kthvalue of the reconstruction for both alphas, then the
overlap; the reconstruction itself is the same work on both sides and is not timed.

What is timed of hodograph is what a measurement calls. One pass counts for all masks, so it is in
the row of the low masks, in that of the principal masks, and once in that of all of it.
"""

import sys

import numpy as np
import torch

from harness import interleaved, machine, power_law, table, update
from hodograph.diagnostics.landing import landing
from hodograph.diagnostics.masks import GRADES, Masks, cut, edges_of, graded, graded_magnitudes
from hodograph.diagnostics.strata import strata_of
from hodograph.diagnostics.visibility import look, sparsity
from hodograph.matrices.bits import bits_of, changed_bits, count_base, take_census

ALPHAS = (0.3, 0.5)


def elementwise(base: torch.Tensor, tuned: torch.Tensor) -> float:
    """Density by the paper's test, in float32, of what bfloat16 stores."""
    a, b = (one.to(torch.bfloat16).float() for one in (base, tuned))
    changed = (b - a).abs() > 1e-3 * torch.maximum(a.abs(), b.abs())
    return int(changed.sum()) / changed.numel()


def sorted_overlaps(score: torch.Tensor, changed: torch.Tensor) -> list[float]:
    """Overlap with the smallest scores, by an order statistic each."""
    flat = score.flatten()
    edges = [torch.kthvalue(flat, round(alpha * flat.numel())).values for alpha in ALPHAS]
    return [float((changed & (flat <= edge)).sum() / changed.sum()) for edge in edges]


def low_overlaps(base: torch.Tensor, tuned: torch.Tensor, grade: np.ndarray) -> list[float]:
    """Everything of a row that follows from magnitudes, and the overlaps among it."""
    counted = count_base(base, grade, GRADES)
    low, memberships = graded_magnitudes(counted.entries_GX.sum(axis=0))
    strata = strata_of(look(counted, tuned).census, low)
    return [strata.overlap(np.tile(weight, GRADES)) for weight in memberships]


def principal_overlaps(base: torch.Tensor, tuned: torch.Tensor, key: np.ndarray) -> list[float]:
    """Overlap with the smallest keys at both alphas, by exact edges."""
    grade, memberships = graded(key)
    counts = take_census(count_base(base, grade, GRADES), tuned).changed_GX.sum(axis=1)
    return [float(counts @ weight / counts.sum()) for weight in memberships]


def all_overlaps(masks: Masks, tuned: torch.Tensor) -> list[float]:
    """The overlaps of a whole row of visibility and landing."""
    columns = landing(look(masks.base, tuned), masks)
    names = [f"{mask}_{alpha}" for mask in ("low", "principal") for alpha in (30, 50)]
    return [columns[f"overlap_{name}"] for name in names]


def main() -> None:
    """Print the table as Markdown."""
    millions = float(sys.argv[1]) if len(sys.argv) > 1 else 50
    side = int((millions * 1e6) ** 0.5)
    small = power_law(min(side, 1024), min(side, 1024))
    base = small.repeat(side // len(small) + 1, side // len(small) + 1)[:side, :side].contiguous()
    tuned = update(base, "dense", 2)
    tuned = base + (tuned - base) * 0.02
    base16, tuned16 = base.to(torch.bfloat16), tuned.to(torch.bfloat16)
    changed = changed_bits(bits_of(base16), bits_of(tuned16))
    changed_torch = torch.from_numpy(changed)
    part = (torch.randn(side, 64) @ torch.randn(64, side)).abs()
    key = np.iinfo(np.int32).max - part.view(torch.int32).flatten().numpy()
    grade, masks = graded(key)[0], cut(base16, key)

    def low() -> list[float]:
        return sorted_overlaps(base16.float().abs(), changed_torch)

    def principal() -> list[float]:
        return sorted_overlaps(-part, changed_torch)

    pairs = {
        "sparsity": (
            lambda: elementwise(base16, tuned16),
            lambda: sparsity(base16, tuned16)["density"],
        ),
        "sparsity, stored in float32": (
            lambda: elementwise(base, tuned),
            lambda: sparsity(base, tuned)["density"],
        ),
        "sparsity, ULPs, curve, strata and both low masks": (
            low,
            lambda: low_overlaps(base16, tuned16, grade),
        ),
        "both principal masks": (principal, lambda: principal_overlaps(base16, tuned16, key)),
        "all of it": (
            lambda: low() + principal(),
            lambda: all_overlaps(cut(base16, key), tuned16),
        ),
        "all of it, at another checkpoint": (
            lambda: low() + principal(),
            lambda: all_overlaps(masks, tuned16),
        ),
        "edge of one mask": (
            lambda: torch.kthvalue(part.flatten(), part.numel() // 2),
            lambda: edges_of(key, [len(key) // 2]),
        ),
    }
    rows = []
    for name, (plain, ours) in pairs.items():
        seconds = interleaved({"plain": plain, "ours": ours}, 3)
        ratio = seconds["plain"] / seconds["ours"]
        same = np.max(np.abs(np.subtract(plain(), ours()))) if name != "edge of one mask" else 0
        rows.append([name, f"{seconds['plain']:.3f}", f"{seconds['ours']:.3f}", f"{ratio:.0f}",
                     f"{same:.0e}"])  # fmt: skip
    print(machine(), "\n")
    print(f"{base.numel() / 1e6:.0f} million entries, {changed.mean():.0%} changed\n")
    print(table(["count", "elementwise or sorted, s", "hodograph, s", "ratio", "differ by"], rows))


if __name__ == "__main__":
    main()
