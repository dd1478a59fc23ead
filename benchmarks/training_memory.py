"""Hold the memory that `hodograph train --plan` estimates against the memory a run takes, on CPU.

    python benchmarks/training_memory.py

Each recipe trains two steps in a process of its own; its peak is that of anonymous memory over what
was held before the models were built.
"""

import sys
import tempfile
import threading
import time
from multiprocessing import get_context
from pathlib import Path

from harness import machine, table
from hodograph.recipes import Recipe, parse_recipe
from hodograph.training import train
from hodograph.training.plan import plan_training

SIZES = {"4 M": (256, 4), "25 M": (512, 8)}  # hidden size and layers
OBJECTIVES = ("sft", "rlvr")


def recipe(hidden: int, layers: int, objective: str) -> Recipe:
    """Two steps of a random Qwen3 on the chain task."""
    student = {
        "type": "qwen3", "hidden_size": hidden, "layers": layers, "heads": 8, "kv_heads": 4,
        "head_dim": hidden // 8, "intermediate_size": 3 * hidden,
    }  # fmt: skip
    tree = {
        "name": "memory", "steps": 2, "student": student, "objective": {"type": objective},
        "task": {"type": "chain"}, "optimizer": {"lr": 1e-5},
        "batch": {"prompts": 16, "group_size": 8},
        "sampling": {"max_completion_length": 14},
    }  # fmt: skip
    return parse_recipe(tree, "the benchmark")


def anonymous() -> int:
    """Anonymous memory of this process, bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


def measured(one: Recipe) -> int:
    """Peak anonymous memory of a run over what the process held before it."""
    train(recipe(32, 1, "sft"), Path(tempfile.mkdtemp()) / "warm")  # loads what any run loads
    before, peak, ended = anonymous(), 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not ended.is_set():
            peak = max(peak, anonymous())
            time.sleep(0.005)

    watcher = threading.Thread(target=watch)
    watcher.start()
    train(one, Path(tempfile.mkdtemp()) / "run")
    ended.set()
    watcher.join()
    return peak - before


def main() -> None:
    """Print planned and measured memory."""
    rows = []
    for name, (hidden, layers) in SIZES.items():
        for objective in OBJECTIVES:
            one = recipe(hidden, layers, objective)
            with get_context("spawn").Pool(1) as pool:
                taken = pool.apply(measured, (one,))
            planned = plan_training(one).peak
            rows.append([name, objective, f"{planned / 1e6:.0f} MB", f"{taken / 1e6:.0f} MB",
                         f"{planned / taken:.2f}"])  # fmt: skip
    print(machine(), "\n")
    print(table(["student", "objective", "planned", "measured", "ratio"], rows))


if __name__ == "__main__":
    sys.exit(main())
