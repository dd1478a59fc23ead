"""The measurement of one pair of checkpoints, from scratch and without configuration.

    python examples/minimal_measure.py BASE TUNED

The plain definitions in about a hundred lines, to read beside docs/concepts: every number printed
here is the one `hodograph measure BASE TUNED --scope linear` gives, and a test holds them together.
W0 is the base, W1 the tuned weights, D = W1 - W0; a matrix has m rows and n columns.
"""

import re
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open

LINEAR = re.compile(r"layers\.\d+\..*\.(q|k|v|o|gate|up|down)_proj\.weight$")
ALPHA, MASK_RANK, ANGLE_K, HILL_K = 0.3, 64, 512, 11


def read(folder: Path) -> dict[str, torch.Tensor]:
    """Linear matrices of a safetensors folder, by name."""
    tensors = {}
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, framework="pt") as opened:
            names = [name for name in opened.keys() if LINEAR.search(name)]  # noqa: SIM118 (not iterable)
            tensors |= {name: opened.get_tensor(name) for name in names}
    return tensors


def bfloat16_bits(w: torch.Tensor) -> np.ndarray:
    """Bit patterns after rounding to bfloat16, with -0 read as +0."""
    bits = w.float().to(torch.bfloat16).view(torch.int16).numpy().copy()
    bits[(bits & 0x7FFF) == 0] = 0
    return bits


def smallest(score: np.ndarray, share: float) -> np.ndarray:
    """Membership in the smallest round(share m n) scores; ties at the edge share what is left."""
    wanted = round(share * score.size)
    edge = np.partition(score.ravel(), wanted - 1)[wanted - 1]
    below, tied = score < edge, score == edge
    return below + tied * (wanted - below.sum()) / tied.sum()


def principal_angles(q0: np.ndarray, q1: np.ndarray) -> np.ndarray:
    """Degrees between the spans of orthonormal columns; sines below 45 degrees, cosines above."""
    overlap = q0.T @ q1
    cosines = np.linalg.svd(overlap, compute_uv=False).clip(max=1)
    sines = np.linalg.svd(q1 - q0 @ overlap, compute_uv=False).clip(max=1)[::-1]
    return np.degrees(np.where(cosines < 0.5**0.5, np.arccos(cosines), np.arcsin(sines)))


def measure(base: torch.Tensor, tuned: torch.Tensor) -> dict[str, float]:
    """Every number for one matrix that has changed."""
    changed = bfloat16_bits(base) != bfloat16_bits(tuned)
    w0, w1 = base.float().double().numpy(), tuned.float().double().numpy()
    d = (tuned.float() - base.float()).double().numpy()
    u0, s0, v0 = np.linalg.svd(w0, full_matrices=False)
    u1, s1, v1 = np.linalg.svd(w1, full_matrices=False)
    s = np.linalg.svd(d, compute_uv=False)
    k = min(ANGLE_K, min(d.shape) // 2)
    r = min(MASK_RANK, min(d.shape) // 2)
    principal = smallest(-np.abs((u0[:, :r] * s0[:r]) @ v0[:r]), ALPHA)
    low = smallest(np.abs(base.float().to(torch.bfloat16).double().numpy()), ALPHA)
    columns = {
        "update_sparsity": 1 - changed.mean(),
        "update_norm": np.linalg.norm(d),
        "relative_norm": np.linalg.norm(d) / np.linalg.norm(w0),
        "angle_left_mean": principal_angles(u0[:, :k], u1[:, :k]).mean(),
        "angle_right_mean": principal_angles(v0[:k].T, v1[:k].T).mean(),
        "nss": np.linalg.norm(s1 - s0) / np.linalg.norm(s0),
        "principal_energy_right_16": (np.linalg.norm(d @ v0[:16].T) / np.linalg.norm(d)) ** 2,
        "stable_rank": (s**2).sum() / s[0] ** 2,
        "top16_energy": (s[:16] ** 2).sum() / (s**2).sum(),
    }
    if changed.any():
        columns["overlap_principal_30"] = principal[changed].sum() / changed.sum()
        columns["overlap_low_30"] = low[changed].sum() / changed.sum()
    if len(s) >= HILL_K and s[HILL_K - 1] > 0:
        columns["hill_11"] = 1 / np.log(s[: HILL_K - 1] / s[HILL_K - 1]).mean()
    return {name: float(value) for name, value in columns.items()}


def main() -> None:
    """Print one line a matrix, and the means over matrices."""
    base, tuned = (read(Path(argument)) for argument in sys.argv[1:3])
    rows = {}
    for name in base:
        if not torch.equal(base[name], tuned[name]):
            rows[name] = measure(base[name], tuned[name])
            numbers = "  ".join(f"{key} {value:.4g}" for key, value in rows[name].items())
            print(f"{name}\n  {numbers}")
    for key in next(iter(rows.values()), {}):
        print(f"mean {key:22} {np.mean([row[key] for row in rows.values() if key in row]):.6g}")


if __name__ == "__main__":
    main()
