"""Draw how the cost of measuring grows with parameters, checkpoints and workers.

.venv/bin/python docs/figures/cluster.py

Points are CPU seconds of one thread, measured here on one synthetic layer of Llama's proportions;
lines are the plan's estimate of the same. The last panel is the plan of a model of 70 billion
weights, written without weights, with units handed to workers in the engine's order.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import matplotlib as mpl
import torch
from concepts import STYLE
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.progress import track
from safetensors.torch import save_file

from hodograph.engine.local import Local
from hodograph.engine.plan import costs_of, largest_first, longest, measured_speed
from hodograph.engine.settings import Settings
from hodograph.measurement import Job, open_job, work_of

HERE = Path(__file__).parent
PLAN = HERE.parents[1] / "examples" / "plan"
WIDTHS, CHECKPOINTS = (128, 256, 512, 1024), (1, 2, 4, 8)
WIDTH, LATER = 256, 5
WORKERS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
MEASURED, PLANNED = "#1f77b4", "#6b6b6b"


def layer(folder: Path, width: int, later: int) -> Job:
    """One bfloat16 layer of this width and `later` checkpoints that drift from it."""
    generator = torch.Generator().manual_seed(0)
    long, kv = 7 * width // 2, width // 8
    shapes = {
        "self_attn.q_proj": (width, width), "self_attn.k_proj": (kv, width),
        "self_attn.v_proj": (kv, width), "self_attn.o_proj": (width, width),
        "mlp.gate_proj": (long, width), "mlp.up_proj": (long, width),
        "mlp.down_proj": (width, long),
    }  # fmt: skip
    weights = {
        f"model.layers.0.{name}.weight": 0.02 * torch.randn(shape, generator=generator)
        for name, shape in shapes.items()
    }
    paths = []
    for step in range(later + 1):
        paths.append(folder / f"{width}" / f"{later}" / f"step_{step}")
        paths[-1].mkdir(parents=True)
        stored = {name: tensor.to(torch.bfloat16) for name, tensor in weights.items()}
        save_file(stored, paths[-1] / "model.safetensors")
        for tensor in weights.values():
            tensor.add_(2e-4 * torch.randn(tensor.shape, generator=generator))
    return open_job(paths[0], paths[1:], Settings(), "cpu")


def cpu_seconds(job: Job) -> float:
    """CPU time of all units, one after another."""
    start = time.process_time()
    for _ in Local().measured(job.parameters, work_of(job)):
        pass
    return time.process_time() - start


def planned(job: Job) -> list[float]:
    """Seconds of each unit, largest first, as the plan expects them on this machine."""
    return costs_of(
        largest_first(job.parameters), job.trajectory, job.settings, measured_speed(Settings())
    )


def large(folder: Path) -> Job:
    """A model of 70 billion weights and its later checkpoints, headers alone."""
    steps = [str(100 * step) for step in range(LATER + 1)]
    command = [sys.executable, str(PLAN / "without_weights.py"), str(PLAN / "llama_3_70b.json")]
    subprocess.run([*command, str(folder), *steps], check=True, capture_output=True)
    paths = [folder / f"step_{step}" for step in steps]
    return open_job(paths[0], paths[1:], Settings(), "cpu")


def both(ax: Axes, at: list[float], jobs: list[Job], label: str) -> list[dict[str, float]]:
    """Measured points and the planned line over something that grows."""
    found = [
        {"at": x, "measured": cpu_seconds(job), "planned": sum(planned(job))}
        for x, job in zip(track(at, label), jobs, strict=True)
    ]
    ax.plot(at, [one["planned"] for one in found], "--", color=PLANNED, label="planned")
    ax.plot(at, [one["measured"] for one in found], "o", color=MEASURED, label="measured")
    ax.set_xlabel(label)
    ax.set_ylabel("CPU seconds, one layer")
    ax.legend()
    return found


def over_workers(ax: Axes, job: Job) -> list[dict[str, float]]:
    """Finish time of the large model's plan, and what no schedule can beat."""
    costs = planned(job)
    found = [
        {
            "workers": n,
            "hours": longest(costs, n) / 3600,
            "ideal": max(sum(costs) / n, max(costs)) / 3600,
        }
        for n in WORKERS
    ]
    ax.plot(WORKERS, [one["ideal"] for one in found], "--", color=PLANNED, label="ideal")
    ax.plot(WORKERS, [one["hours"] for one in found], "o", color=MEASURED, label="in its order")
    ax.set_title(f"70 billion weights, {LATER} checkpoints", fontsize=9)
    ax.set_xlabel("workers of one thread")
    ax.set_ylabel("hours, planned")
    ax.legend()
    return found


def main() -> None:
    """Write cluster.png, and print the numbers."""
    mpl.rcParams.update(STYLE)
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    axes = figure.subplots(1, 3)
    for ax in (axes[0], axes[2]):
        ax.set(xscale="log", yscale="log")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        wide = [layer(folder / "wide", width, 1) for width in WIDTHS]
        weights = [float(sum(unit.entries for unit in job.parameters)) for job in wide]
        later = [layer(folder / "later", WIDTH, count) for count in CHECKPOINTS]
        numbers = {
            "weights": both(axes[0], weights, wide, "weights in the layer"),
            "checkpoints": both(
                axes[1], list(CHECKPOINTS), later, f"checkpoints after W0, width {WIDTH}"
            ),
            "workers": over_workers(axes[2], large(folder / "large")),
        }
    figure.savefig(HERE / "cluster.png", dpi=150)
    print(json.dumps(numbers, indent=1))


if __name__ == "__main__":
    main()
