"""Going on from an early checkpoint: all weights, the early subspace, LoRA and EVA.

    python benchmarks/adapt.py runs/demo/seed_0 OUT [SEEDS]

Needs the demo's OPD run (`make demo`). Every run starts from its checkpoint of step 17 with a fresh
optimizer and takes the 83 steps that are left, on prompts and samples of its own seed. CPU time is
the process's, between the first step and the last but one, evaluation left out. 40 CPU seconds a
run; finished runs are kept in OUT, so the command can be repeated with more seeds.
"""

import json
import statistics
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from harness import machine, table
from hodograph.recipes import merged, parse_recipe
from hodograph.training import train
from hodograph.training.adapters.early import adapt

STEP, STEPS, RANK = 17, 83, 16
RATE, ADAPTER_RATE = 6e-5, 2e-4  # steps of equal norm take sqrt(N / K) = 2.8 to 4 times the rate


@dataclass
class Clock:
    """Notes CPU time and the optimizer's state while a run goes on."""

    state: Path
    times: list[float] = field(default_factory=list)
    optimizer_bytes: int = 0

    def __call__(self, step: int, steps: int) -> None:
        """Called after each step; the state of the last but one is on disk at the last."""
        if step < steps:
            self.times.append(time.process_time())
        else:
            file = self.state / f"checkpoint-{step - 1}" / "optimizer.pt"
            entries = torch.load(file, weights_only=True)["state"].values()
            self.optimizer_bytes = sum(t.nbytes for entry in entries for t in entry.values())


def adapters(run: Path, out: Path) -> dict[str, dict[str, Any] | None]:
    """What each arm's recipe says under [adapter]."""
    for basis in ("own", "inputs"):
        if not (out / basis).exists():
            adapt(run, STEP, RANK, out / basis, basis=basis)
    return {
        "all weights": None,
        "early subspace, A fixed": {"type": "frozen_a", "path": str(out / "own")},
        "input subspace, A fixed": {"type": "frozen_a", "path": str(out / "inputs")},
        "LoRA": {"type": "lora", "rank": RANK},
        "LoRA, EVA": {"type": "lora", "rank": RANK, "init": "eva"},
    }


def one(run: Path, adapter: dict[str, Any] | None, seed: int, out: Path) -> dict[str, Any]:
    """Train one arm, unless it was, and return its figures."""
    result = out / "result.json"
    if result.exists():
        return json.loads(result.read_text())
    changes = {
        "seed": seed,
        "steps": STEPS,
        "student": {
            "type": "path",
            "path": str(run / f"checkpoints/step_{STEP}"),
            "round_to_bf16": False,
        },
        "optimizer": {"lr": RATE if adapter is None else ADAPTER_RATE},
        "save": {"steps": [STEPS - 1]},
        "evaluation": {"steps": [] if adapter else [0]},
        "adapter": adapter,
    }
    recipe = json.loads((run / "recipe.json").read_text())
    clock = Clock(out / "run/state")
    trained = train(parse_recipe(merged(recipe, changes), "arm"), out / "run", on_step=clock)
    times = clock.times
    figures = {
        "start": trained.evaluations[0]["accuracy"],  # of all weights alone
        "accuracy": trained.evaluations[-1]["accuracy"],
        "step": (times[-1] - times[0]) / (len(times) - 1),
        "bytes": clock.optimizer_bytes,
    }
    result.write_text(json.dumps(figures))
    return figures


def main(run: Path, out: Path, seeds: int) -> None:
    """Run every arm, seeds outermost so that arms take turns, and print the table."""
    torch.set_num_threads(1)
    out.mkdir(parents=True, exist_ok=True)
    found: dict[str, list[dict[str, Any]]] = {}
    for seed in range(1, seeds + 1):
        for index, (name, adapter) in enumerate(adapters(run, out).items()):
            found.setdefault(name, []).append(one(run, adapter, seed, out / f"{index}_{seed}"))
            print(f"seed {seed}, {name}: {found[name][-1]}", file=sys.stderr)
    whole, *_ = found.values()
    base = statistics.median(figures["step"] for figures in whole)
    print(machine())
    print(f"accuracy at step {STEP}: {100 * whole[0]['start']:.1f} %")
    headings = ["trained", "lr", "accuracy, %", "CPU a step, ms", "to all weights"]
    rows = [row(name, figures, base) for name, figures in found.items()]
    print(table([*headings, "optimizer state, MB"], rows))


def row(name: str, figures: list[dict[str, Any]], base: float) -> list[str]:
    """One arm: mean and standard deviation over seeds, medians of times."""
    accuracy = [100 * f["accuracy"] for f in figures]
    spread = f" ± {statistics.stdev(accuracy):.1f}" if len(accuracy) > 1 else ""
    step = statistics.median(f["step"] for f in figures)
    return [
        name,
        f"{RATE if name == 'all weights' else ADAPTER_RATE:g}",
        f"{statistics.mean(accuracy):.1f}{spread}",
        f"{1000 * step:.0f}",
        f"{step / base:.2f}",
        f"{figures[0]['bytes'] / 1e6:.2f}",
    ]


if __name__ == "__main__":
    main(
        Path(sys.argv[1]).resolve() / "opd",
        Path(sys.argv[2]).resolve(),
        int(sys.argv[3]) if len(sys.argv) > 3 else 3,
    )
