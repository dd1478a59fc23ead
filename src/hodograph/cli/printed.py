"""Results as a terminal shows them."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from hodograph.measurement import Measurement

SHOWN = (
    ("update_sparsity", "sparsity %", 100, ".1f"),
    ("relative_norm", "norm %", 100, ".3f"),
    ("angle_right_mean", "angle °", 1, ".3f"),
    ("nss", "NSS x1e-3", 1e3, ".3f"),
    ("overlap_principal_30", "principal %", 100, ".1f"),
    ("overlap_low_30", "low %", 100, ".1f"),
    ("stable_rank", "stable rank", 1, ".2f"),
    ("sim16_end", "Sim_16", 1, ".2f"),
)
NULLS = {name: f"{name}_null" for name in ("update_sparsity", "overlap_principal_30",
                                           "overlap_low_30", "nss")}  # fmt: skip


def print_measurement(console: Console, measurement: Measurement, page: Path) -> None:
    """Print one line a checkpoint, each number beside its null, and where the page is."""
    summary = measurement.summary
    for warning in summary["warnings"]:
        console.print(f"warning: {warning}", markup=False, style="yellow")
    table = Table(title=f"{summary['matrices']} matrices, scope {summary['scope']}")
    for heading in ("step", "storage", *(heading for _, heading, _, _ in SHOWN)):
        table.add_column(heading, justify="right")
    for checkpoint in summary["checkpoints"]:
        metrics = checkpoint["metrics"]
        cells = [_cell(metrics, name, scale, form) for name, _, scale, form in SHOWN]
        table.add_row(str(checkpoint["step"]), checkpoint["storage"], *cells)
    console.print(table)
    if any(name in NULLS for name, *_ in SHOWN):
        console.print("In brackets: the null (permuted update; for NSS an isotropic one).")
    if summary["skipped"]:
        console.print(f"{len(summary['skipped'])} tensors were skipped; the report lists them.")
    console.print(f"report: {page}", soft_wrap=True, highlight=False)


def _cell(metrics: dict[str, Any], name: str, scale: float, form: str) -> str:
    value = _value(metrics[name])
    if value is None:
        return "-"
    text = format(value * scale, form)
    null = _value(metrics[NULLS[name]]) if name in NULLS else None
    return text if null is None else f"{text} ({format(null * scale, form)})"


def _value(entry: dict[str, Any]) -> float | None:
    return entry.get("weighted", entry["mean"])
