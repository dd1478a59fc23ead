"""Checkpoints of Qwen3-8B's shape on one device, and each kernel against its limits.

    python benchmarks/device.py FOLDER --device cuda [--layers 36] [--checkpoints 1]
    python benchmarks/device.py FOLDER --device cuda --layers 6 --checkpoints 5
    python benchmarks/device.py FOLDER --device cpu --layers 1 --hidden 256 --intermediate 512

Writes synthetic bfloat16 checkpoints into FOLDER, W0 and --checkpoints later ones (14 GB each for
all 36 layers), measures the pair or the trajectory with every diagnostic, and times the kernels on
each shape of its matrices: Gram matrix, eigenvalues and vectors, their error bound, the far side
with its residuals, and the sine form of the angles. Then small matrices, in batches as large as a
measurement takes, against one at a time.
Flops of eigh are those of reduction, divide and conquer without deflation, and turning back, 6 n³.
Limits are measured on the device: float64 products for arithmetic, a copy for bandwidth.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from cyclopts import run
from rich.progress import track
from safetensors.torch import save_file
from torch import Tensor

from harness import machine, power_law, table, update
from hodograph import measure, plan_measurement
from hodograph.cli.progress import entries_bar
from hodograph.diagnostics.rotation import principal_size
from hodograph.engine.batches import batched
from hodograph.engine.devices import kind_of
from hodograph.engine.settings import Settings
from hodograph.linalg.eigh import device_eigen, device_eigens
from hodograph.linalg.factor import Wanted, factor, factor_many
from hodograph.linalg.subspaces import principal_angles
from hodograph.matrices.naming import Role
from hodograph.matrices.pairing import Parameter
from hodograph.matrices.unfuse import Block

HEAD, DOUBLE, REPEATS = 128, 8, 3
SMALL = ((64, 192), (128, 512), (256, 1024), (576, 1536), (768, 2048), (1024, 4096))
MANY = 128  # experts of a layer


@dataclass(frozen=True)
class Limits:
    """What the device reaches: float64 operations a second, bytes a second."""

    flops: float
    bandwidth: float


def shapes_of(hidden: int, intermediate: int) -> dict[str, tuple[int, int]]:
    """The linear matrices of a layer: query heads fill the width, a quarter as many are kv."""
    kv = max(1, hidden // HEAD // 4) * HEAD
    attention = {"q_proj": (hidden, hidden), "k_proj": (kv, hidden), "v_proj": (kv, hidden),
                 "o_proj": (hidden, hidden)}  # fmt: skip
    mlp = {"gate_proj": (intermediate, hidden), "up_proj": (intermediate, hidden),
           "down_proj": (hidden, intermediate)}  # fmt: skip
    named = {f"self_attn.{name}": shape for name, shape in attention.items()}
    return named | {f"mlp.{name}": shape for name, shape in mlp.items()}


def write_checkpoints(
    folder: Path, layers: int, shapes: dict[str, tuple[int, int]], checkpoints: int
) -> list[Path]:
    """Write W0 and so many later checkpoints, each a step from the one before."""
    weights, paths = {shape: power_law(*shape) for shape in set(shapes.values())}, []
    for step in range(checkpoints + 1):
        paths.append(folder / f"step_{step}")
        _write(paths[-1], layers, shapes, weights)
        weights = {shape: update(one, "dense", step + 1) for shape, one in weights.items()}
    return paths


def _write(
    path: Path,
    layers: int,
    shapes: dict[str, tuple[int, int]],
    weights: dict[tuple[int, int], Tensor],
) -> None:
    """Write one checkpoint; layers hold one matrix a shape with its rows in another order."""
    path.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(0)
    weight_map: dict[str, str] = {}
    for layer in track(range(layers), f"writing {path.name}"):
        file, tensors = f"part-{layer}.safetensors", {}
        for name, shape in shapes.items():
            order = torch.randperm(shape[0], generator=generator)
            stored = weights[shape][order].to(torch.bfloat16)
            tensors[f"model.layers.{layer}.{name}.weight"] = stored
        save_file(tensors, path / file)
        weight_map |= dict.fromkeys(tensors, file)
    index = json.dumps({"weight_map": weight_map})
    (path / "model.safetensors.index.json").write_text(index)


def seconds(work: Callable[[], Any], device: str) -> float:
    """The least of a few runs, each awaited."""
    taken = []
    for _ in range(1 + REPEATS):  # the first loads libraries
        _await(device)
        start = time.perf_counter()
        work()
        _await(device)
        taken.append(time.perf_counter() - start)
    return min(taken[1:])


def _await(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize(device)


def limits_of(device: str, side: int) -> Limits:
    """Speed of a float64 product and of a copy of this side on the device."""
    square = torch.randn(side, side, dtype=torch.float64).to(device)
    product = seconds(lambda: square @ square, device)
    return Limits(2 * side**3 / product, 2 * DOUBLE * side**2 / seconds(square.clone, device))


def kernels(base: Tensor, tuned: Tensor, device: str, limits: Limits) -> list[list[str]]:
    """Time of each kernel, its rate, and what its arithmetic and its traffic would take alone."""
    rows, cols = base.shape
    n, length = min(rows, cols), max(rows, cols)
    k = principal_size(rows, cols, 512)
    short = (base if rows <= cols else base.T).double().contiguous().to(device)
    found, other = (factor(w.to(device), k) for w in (base, tuned))
    near = found.u_MK if rows <= cols else found.v_NK
    gram = short @ short.T
    work = {
        "Gram matrix": (lambda: short @ short.T, 2 * n * n * length, n * length + n * n),
        "eigh": (lambda: torch.linalg.eigh(gram), 6 * n**3, 3 * n * n),
        "Gram, eigh, bound": (lambda: device_eigen(short, k), 2 * n * n * length + 12 * n**3,
                              n * length + 9 * n * n),
        "far side, residual": (lambda: short @ (near.T @ short).T, 4 * n * length * k,
                               2 * n * length + 2 * k * (n + length)),
        "sine form, both sides": (
            lambda: (principal_angles(found.u_MK, other.u_MK),
                     principal_angles(found.v_NK, other.v_NK)),
            6 * k * k * (n + length), 6 * k * (n + length)),
        "whole factor()": (lambda: factor(short, k), 0, 0),
    }  # fmt: skip
    lines = []
    for name, (kernel, flops, numbers) in work.items():
        taken = seconds(kernel, device)
        floor = flops / limits.flops, DOUBLE * numbers / limits.bandwidth
        shown = [f"{100 * part / taken:.0f} %" for part in floor] if flops else ["", ""]
        rate = f"{flops / taken / 1e9:.0f}" if flops else ""
        lines.append([f"{rows} x {cols}, {k}", name, f"{1e3 * taken:.1f}", rate, *shown])
    return lines


def batch_size(shape: tuple[int, int]) -> int:
    """How many matrices of a shape the engine would take at once."""
    block = Block("up_proj", 0, *shape, transposed=False, spectral=True)
    alike = [
        Parameter(f"{i}", ("w",), Role(0, "up_proj"), (block,), shape[0] * shape[1])
        for i in range(MANY)
    ]
    return len(batched(alike, Settings(device="cuda"))[0].blocks)


def batches(shape: tuple[int, int], device: str) -> list[list[str]]:
    """Time a matrix, one at a time and in a batch, of the decomposition and of all of factor()."""
    count, k = batch_size(shape), principal_size(*shape, 512)
    base = power_law(*shape)
    singly = [update(base, "dense", seed).to(device) for seed in range(count)]
    shorts = [matrix.double() for matrix in singly]
    wanted = [Wanted(matrix, k) for matrix in singly]
    work: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
        "Gram, eigh, bound": (lambda: [device_eigen(short, k) for short in shorts],
                              lambda: device_eigens(shorts, [k] * count)),
        "whole factor()": (lambda: [factor(matrix, k) for matrix in singly],
                           lambda: factor_many(wanted)),
    }  # fmt: skip
    lines = []
    for name, (one_by_one, together) in work.items():
        alone, batch = (seconds(kernel, device) / count for kernel in (one_by_one, together))
        shown = [f"{1e3 * taken:.2f}" for taken in (alone, batch)]
        label = f"{shape[0]} x {shape[1]}, {k}"
        lines.append([label, name, f"{count}", *shown, f"{alone / batch:.2f}"])
    return lines


def main(
    folder: Path,
    *,
    device: str = "cuda",
    checkpoints: int = 1,
    layers: int = 36,
    hidden: int = 4096,
    intermediate: int = 12288,
) -> None:
    """Print the tables as Markdown."""
    shapes = shapes_of(hidden, intermediate)
    base, *later = write_checkpoints(folder, layers, shapes, checkpoints)
    settings = Settings(device=device)
    ahead = plan_measurement(base, later, settings=settings)
    start = time.perf_counter()
    with entries_bar("measuring") as on_progress:
        found = measure(base, later, settings=settings, on_progress=on_progress)
    wall = time.perf_counter() - start
    limits = limits_of(device, 2 * hidden)
    reached = f"{limits.flops / 1e9:.0f} GFLOP/s in float64, {limits.bandwidth / 1e9:.0f} GB/s"
    print(f"{machine().replace('one thread used; ', '')}; {kind_of(device)}: {reached}\n")
    methods = ", ".join(sorted(found.matrices["method"].dropna().unique()))
    line = [f"{layers} layers of {hidden}, {intermediate}", f"{checkpoints}",
            f"{len(found.matrices)}", methods, f"{wall:.0f}", f"{ahead.seconds:.0f}"]  # fmt: skip
    headings = ["weights", "later checkpoints", "rows", "method", "wall, s", "planned, s"]
    print(table(headings, [line]), "\n")
    rows = []
    for shape in dict.fromkeys(shapes.values()):
        matrix = power_law(*shape)
        rows += kernels(matrix, update(matrix, "dense"), device, limits)
    headings = ["shape, k", "kernel", "ms", "GFLOP/s", "of arithmetic", "of bandwidth"]
    print(table(headings, rows), "\n")
    small = [shape for shape in SMALL if 4 * shape[0] <= hidden]
    rows = [line for shape in small for line in batches(shape, device)]
    headings = ["shape, k", "kernel", "batch", "alone, ms each", "batch, ms each", "ratio"]
    print(table(headings, rows))


if __name__ == "__main__":
    run(main)
