"""What `hodograph train --plan` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from hodograph.cli.printed import decimal

if TYPE_CHECKING:
    from hodograph.training.plan import TrainingPlan


def print_training_plan(console: Console, plan: TrainingPlan) -> None:
    """Print what a run will need and the least time it can take."""
    table = Table(title="plan", box=None, pad_edge=False, title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for label, value in _lines(plan):
        table.add_row(label, value)
    console.print(table)
    console.print(
        "Memory: an upper bound for activations (attention written out), without temporary\n"
        "buffers and the allocator's slack. Time: the operations at the speed of one large matrix\n"
        "product, measured now; no run is faster, and small models are several times slower.",
        highlight=False,
        soft_wrap=True,
    )


def _lines(plan: TrainingPlan) -> list[tuple[str, str]]:
    return [
        ("student, parameters", f"{plan.student:,}"),
        *([("teacher, parameters", f"{plan.teacher:,}")] if plan.teacher else []),
        *_devices(plan),
        ("longest prompt and completion, tokens", f"{plan.prompt} + {plan.completion}"),
        *((f"memory: {name}", decimal(size)) for name, size in plan.memory.items()),
        ("memory at its peak, estimated", decimal(plan.peak)),
        *_verdict(plan),
        *((f"operations a step: {name}", f"{flops:.2e}") for name, flops in plan.flops.items()),
        *_times(plan),
    ]


def _devices(plan: TrainingPlan) -> list[tuple[str, str]]:
    layout = plan.layout
    if layout.processes == 1:
        return []
    return [("devices", f"{layout.processes} ({layout.parallel}); memory is that of each")]


def _times(plan: TrainingPlan) -> list[tuple[str, str]]:
    if plan.seconds is None:
        return [("time", "not known: no such GPU is here to measure")]
    return [
        ("time a step, at least", f"{plan.seconds:.2g} s"),
        (f"time of {plan.steps} steps, at least", duration(plan.seconds * plan.steps)),
    ]


def _verdict(plan: TrainingPlan) -> list[tuple[str, str]]:
    total = plan.layout.total_bytes
    if total is None:
        return []
    fits = "yes" if plan.peak <= total else "no"
    return [(f"fits a GPU of {decimal(total)}", f"{fits}, {plan.peak / total:.0%} of it")]


def duration(seconds: float) -> str:
    """Seconds in the unit a person would use."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"
