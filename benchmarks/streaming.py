"""Memory and reading speed of a measurement against the size of the checkpoint.

    python benchmarks/streaming.py FOLDER [GIGABYTES ...]

Writes pairs of synthetic bfloat16 checkpoints of 2048 x 2048 matrices into FOLDER, counts sparsity
alone, and samples the process's anonymous memory (RssAnon). Peak resident memory would count mapped
file pages and say nothing. Imports, compiled loops among them, are not timed. The plain read
touches every byte of the same files through a map. Both take turns, and medians are printed.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from harness import machine, table

SIDE = 2048
SHARD = 32  # matrices a file
ROUNDS = 3  # in turns


def write_pair(folder: Path, gigabytes: float) -> list[Path]:
    """Write W0 and W1 of this size, about a third of the weights changed."""
    count = max(1, round(gigabytes * 1e9 / (2 * SIDE * SIDE)))
    generator = torch.Generator().manual_seed(0)
    weights = (torch.randn(SIDE, SIDE, generator=generator) * 0.02).to(torch.bfloat16)
    moved = (weights.float() + 3e-5 * torch.randn(SIDE, SIDE, generator=generator)).to(
        weights.dtype
    )
    paths = []
    for name, matrix in (("step_0", weights), ("step_1", moved)):
        path = folder / f"{gigabytes:g}" / name
        if not (path / "model.safetensors.index.json").exists():
            path.mkdir(parents=True, exist_ok=True)
            write_shards(path, matrix, count)
        paths.append(path)
    return paths


def write_shards(path: Path, matrix: torch.Tensor, count: int) -> None:
    """Write `count` copies of a matrix, a few a file, and the index last."""
    weight_map = {}
    for start in range(0, count, SHARD):
        file = f"part-{start // SHARD}.safetensors"
        names = [
            f"model.layers.{i}.self_attn.q_proj.weight"
            for i in range(start, min(count, start + SHARD))
        ]
        save_file({name: matrix.clone() for name in names}, path / file)
        weight_map |= dict.fromkeys(names, file)
    (path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))


def evict(paths: list[Path]) -> None:
    """Drop the files from the page cache, so that the next read comes from the disk."""
    for path in paths:
        for file in path.glob("*.safetensors"):
            with file.open("rb") as opened:
                os.fsync(opened.fileno())
                os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def plain_read(paths: list[Path]) -> float:
    """Seconds to touch every byte of the files through a memory map."""
    start = time.perf_counter()
    for path in paths:
        for file in sorted(path.glob("*.safetensors")):
            whole = np.memmap(file, np.uint64, mode="r", shape=(file.stat().st_size // 8,))
            for piece in range(0, len(whole), 1 << 18):
                whole[piece : piece + (1 << 18)].max()
    return time.perf_counter() - start


CODE = """
import sys, time
import hodograph.measurement, hodograph.matrices.loops
base, tuned = sys.argv[1:3]
start = time.perf_counter()
hodograph.measure(base, tuned, only="sparsity")
print(time.perf_counter() - start)
"""


def measured(paths: list[Path]) -> tuple[float, float]:
    """Seconds for a sparsity-only measurement, and the largest RssAnon seen, in MB."""
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, *map(str, paths)], stdout=subprocess.PIPE, text=True
    )
    largest = 0.0
    while process.poll() is None:
        largest = max(largest, anonymous(process.pid))
        time.sleep(0.01)
    assert process.stdout is not None
    return float(process.stdout.read()), largest


def anonymous(pid: int) -> float:
    """RssAnon of a process in MB; 0 once it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1e3 for line in lines if line.startswith("RssAnon")), 0.0)


def main() -> None:
    """Print the table as Markdown."""
    folder = Path(sys.argv[1])
    rows = []
    for gigabytes in map(float, sys.argv[2:] or ["0.3", "3"]):
        paths = write_pair(folder, gigabytes)
        for state in ("disk", "memory"):
            before = evict if state == "disk" else plain_read
            plain, alone, held = [], [], []
            for _ in range(ROUNDS):
                before(paths)
                plain.append(plain_read(paths))
                before(paths)
                seconds, largest = measured(paths)
                alone.append(seconds)
                held.append(largest)
            speed = [2 * gigabytes / statistics.median(taken) for taken in (plain, alone)]
            rows.append(
                [f"{gigabytes:g}", state, f"{max(held):.0f}", f"{speed[0]:.1f}", f"{speed[1]:.1f}",
                 f"{speed[1] / speed[0]:.0%}"]
            )  # fmt: skip
    headings = ["checkpoint, GB", "read from", "RssAnon, MB", "plain map, GB/s", "sparsity, GB/s"]
    print(machine(), "\n")
    print(table([*headings, "share"], rows))


if __name__ == "__main__":
    main()
