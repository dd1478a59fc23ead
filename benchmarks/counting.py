"""Counting on bit patterns against the elementwise tests and sorts everyone runs.

    python benchmarks/counting.py [ENTRIES_IN_MILLIONS]

Sparsity: |a - b| > 1e-3 max(|a|, |b|) in float32. Low masks: torch.kthvalue of |W0| for both
alphas, then the overlap. Principal masks: kthvalue of the reconstruction for both alphas, then the
overlap; the reconstruction itself is the same work on both sides and is timed apart.
"""

import sys

import numpy as np
import torch

from harness import interleaved, machine, power_law, table, update
from hodograph.diagnostics.masks import edges_of, graded
from hodograph.matrices.bits import bits_of, changed_bits, count_changed, take_census

ALPHAS = (0.3, 0.5)


def elementwise(base: torch.Tensor, tuned: torch.Tensor) -> int:
    """The paper's test, in float32."""
    a, b = base.float(), tuned.float()
    return int(((b - a).abs() > 1e-3 * torch.maximum(a.abs(), b.abs())).sum())


def sorted_overlaps(score: torch.Tensor, changed: torch.Tensor) -> list[float]:
    """Overlap with the smallest scores, by an order statistic each."""
    flat = score.flatten()
    edges = [torch.kthvalue(flat, round(alpha * flat.numel())).values for alpha in ALPHAS]
    return [float((changed & (flat <= edge)).sum() / changed.sum()) for edge in edges]


def census_overlaps(base: np.ndarray, tuned: np.ndarray) -> list[float]:
    """Overlap with the smallest magnitudes at both alphas, from one census."""
    census = take_census(base, tuned)
    overlaps = []
    for alpha in ALPHAS:
        wanted = round(alpha * len(base))
        reached = np.cumsum(census.entries)
        edge = int(np.searchsorted(reached, wanted))
        share = (wanted - (reached[edge] - census.entries[edge])) / census.entries[edge]
        inside = census.changed[:edge].sum() + share * census.changed[edge]
        overlaps.append(float(inside / census.changed.sum()))
    return overlaps


def graded_overlaps(key: np.ndarray, changed: np.ndarray) -> list[float]:
    """Overlap with the smallest keys at both alphas, by exact edges."""
    grade, memberships = graded(key)
    counts = np.bincount(grade[changed], minlength=len(memberships[0]))
    return [float(counts @ weight / counts.sum()) for weight in memberships]


def main() -> None:
    """Print the table as Markdown."""
    millions = float(sys.argv[1]) if len(sys.argv) > 1 else 50
    side = int((millions * 1e6) ** 0.5)
    small = power_law(min(side, 1024), min(side, 1024))
    base = small.repeat(side // len(small) + 1, side // len(small) + 1)[:side, :side].contiguous()
    tuned = update(base, "dense", 2)
    tuned = base + (tuned - base) * 0.02  # about half of the weights change
    base16, tuned16 = base.to(torch.bfloat16), tuned.to(torch.bfloat16)
    bits = bits_of(base16), bits_of(tuned16)
    changed = changed_bits(*bits)
    changed_torch = torch.from_numpy(changed)
    part = (torch.randn(side, 64) @ torch.randn(64, side)).abs()
    key = np.iinfo(np.int32).max - part.view(torch.int32).flatten().numpy()
    pairs = {
        "sparsity": (lambda: elementwise(base16, tuned16), lambda: count_changed(*bits)),
        "sparsity, ULPs, curve and both low masks": (
            lambda: sorted_overlaps(base16.float().abs(), changed_torch),
            lambda: census_overlaps(*bits),
        ),
        "both principal masks": (
            lambda: sorted_overlaps(-part, changed_torch),
            lambda: graded_overlaps(key, changed),
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
