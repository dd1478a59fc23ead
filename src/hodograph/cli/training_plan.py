"""What `hodograph train --plan` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from hodograph.cli.printed import decimal

if TYPE_CHECKING:
    from hodograph.training.plan import TrainingPlan


NOTES = """\
Memory: an upper bound for activations (attention written out), without temporary buffers and the
allocator's slack.
Time, at least: the operations at the speed of one large matrix product, measured now or a data
sheet's. Estimated: of each part the longest of that, of 10 microseconds for each operation that
PyTorch starts, and, in sampling, of reading weights and cache for one token after another. Every
answer is taken at full length. Left out: evaluation, the optimizer's own step, exchange between
devices, checkpoints, and what the device loses below full speed."""


def print_training_plan(console: Console, plan: TrainingPlan) -> None:
    """Print what a run will need, the least time it can take and an estimate of it."""
    table = Table(title="plan", box=None, pad_edge=False, title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for label, value in _lines(plan):
        table.add_row(label, value)
    console.print(table)
    console.print(NOTES, highlight=False, soft_wrap=True)


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
        return [("time", "not known: no such GPU is here to measure, and --gpu names none")]
    estimated = sum(plan.times.values())
    return [
        ("time a step, at least", f"{plan.seconds:.2g} s"),
        *((f"time a step, estimated: {name}", f"{s:.2g} s") for name, s in plan.times.items()),
        ("time a step, estimated", f"{estimated:.2g} s"),
        (f"time of {plan.steps} steps, estimated", duration(estimated * plan.steps)),
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
