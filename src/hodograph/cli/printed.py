"""Results as a terminal shows them: each number with its null and its interval."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import pandas as pd
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from hodograph.engine.batch import members_of
from hodograph.engine.plan import Plan
from hodograph.matrices.pairing import Parameter
from hodograph.measurement import Measurement
from hodograph.report.factored import factored_line
from hodograph.report.read import Factored
from hodograph.report.series import doubt

SHOWN_UNITS = 5
LONG = 2 * 3600  # seconds


@dataclass(frozen=True)
class Line:
    """One printed quantity: its column, its label, its null, and how it is written."""

    metric: str
    label: str
    null: str | None = None
    scale: float = 1
    form: str = ".3g"


LINES = (
    Line("update_sparsity", "sparsity, %", "update_sparsity_null", 100, ".2f"),
    Line("relative_norm", "relative norm, %", None, 100, ".4f"),
    Line("kappa", "kappa", "kappa_random_walk", 1, ".3f"),
    Line("angle_left_mean", "angle, left, °", "angle_left_mean_null"),
    Line("angle_right_mean", "angle, right, °", "angle_right_mean_null"),
    Line("nss", "NSS, x 1e-3", "nss_null", 1e3),
    Line("overlap_principal_30", "in principal, %", "overlap_principal_30_null",
          100, ".2f"),
    Line("overlap_low_30", "in low, %", "overlap_low_30_null", 100, ".2f"),
    Line("principal_energy_right_16", "energy top 16, %", "principal_energy_right_16_isotropic",
         100, ".2f"),
    Line("stable_rank", "stable rank", None, 1, ".2f"),
    Line("hill_11", "Hill, k = 11", None, 1, ".2f"),
    Line("sim16_end", "Sim_16, first to last", "sim16_chance", 1, ".2f"),
    Line("input_overlap16", "overlap with inputs", "input_overlap16_null", 1, ".2f"),
    Line("input_energy16", "energy in inputs, %", "input_energy16_null", 100, ".1f"),
)  # fmt: skip


LEGEND = (
    "Means over matrices (sparsity: over weights); intervals are over layers.",
    "angle: mean principal angle. in principal, in low: share of the visible",
    "changes in W0's principal mask, in the lowest 30 % of |W0|. energy top 16:",
    "share of the update's energy in W0's top 16 right singular vectors. Nulls:",
    "the permuted update for sparsity and overlaps, a random walk for kappa, an",
    "isotropic update else. caution, poor: in so many matrices the update is near",
    "the rounding noise of its storage.",
)


def print_measurement(console: Console, measurement: Measurement, page: str) -> None:
    """Print the last checkpoint's metrics in each storage, and where the page is."""
    summary = measurement.summary
    checkpoints = summary["checkpoints"]
    for warning in summary["warnings"]:
        console.print(f"warning: {warning}", style="yellow", soft_wrap=True)
    first_step, last_step = checkpoints[0]["step"], checkpoints[-1]["step"]
    first = {c["storage"]: c for c in checkpoints if c["step"] == first_step != last_step}
    for end in (c for c in checkpoints if c["step"] == last_step):
        rows = measurement.matrices[measurement.matrices["storage"] == end["storage"]]
        console.print(_table(first.get(end["storage"]), end, summary["scope"], rows))
    if summary["settings"]["only"] == "everything":
        for line in LEGEND:
            console.print(line, highlight=False)
        if line := factored_line(Factored(**summary["factored"])):
            console.print(line, highlight=False, soft_wrap=True)
        if summary["inputs"]:
            console.print(inputs_line(summary["inputs"]), highlight=False, soft_wrap=True)
        for storage, entry in summary["lock"].items():
            console.print(f"lock, {storage}: {lock_line(entry)}", highlight=False, soft_wrap=True)
    if summary["skipped"]:
        console.print(f"{len(summary['skipped'])} tensors were skipped; the report says why.")
    _print_renamed(console, summary["renamed"])
    console.print(f"report: {page}", soft_wrap=True, highlight=False)


def print_plan(console: Console, plan: Plan) -> None:
    """Print what a measurement will read, need and take, and its largest units."""
    table = Table(title="plan", box=None, pad_edge=False, title_justify="left", show_header=False)
    for label, value in (
        ("units (stored parameters)", _units(plan)),
        ("matrices", f"{plan.matrices}"),
        ("to read", decimal(plan.bytes_to_read)),
        ("workers, one thread each", _workers(plan)),
        ("factoring on", plan.device),
        ("time, estimated", _time(plan)),
        ("memory a worker, estimated", _memory(plan)),
    ):
        table.add_row(label, value)
    console.print(table)
    console.print("largest units first:")
    for unit in plan.units[:SHOWN_UNITS]:
        console.print(f"  {unit.name}: {_shapes(unit)}", highlight=False)
    if len(plan.units) > SHOWN_UNITS:
        console.print(f"  and {len(plan.units) - SHOWN_UNITS} more")
    _print_renamed(console, plan.renamed)


def _units(plan: Plan) -> str:
    """How many there are, and of how many parameters where some are batches."""
    parameters = sum(len(members_of(unit)) for unit in plan.units)
    units = f"{len(plan.units)}"
    return units if parameters == len(plan.units) else f"{units}, of {parameters} parameters"


def _shapes(unit: Parameter) -> str:
    """The matrices of a unit; those of a batch are counted."""
    counts = Counter(f"{b.module} {b.rows} x {b.cols}" for b in unit.blocks)
    return ", ".join(one if count == 1 else f"{count} {one}" for one, count in counts.items())


def _print_renamed(console: Console, lines: list[str]) -> None:
    """The map of names, where the checkpoints do not call their parameters alike."""
    if lines:
        console.print("names that differ:")
    for line in lines[:SHOWN_UNITS]:
        console.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)
    if len(lines) > SHOWN_UNITS:
        console.print(f"  and {len(lines) - SHOWN_UNITS} more")


def _workers(plan: Plan) -> str:
    return "as many as Ray has room for; not asked" if plan.workers is None else f"{plan.workers}"


def _time(plan: Plan) -> str:
    if plan.seconds is None:
        return "not known: there is no CUDA device here to be timed"
    return _duration(plan.seconds) + (" of one worker" if plan.workers is None else "")


def _duration(seconds: float) -> str:
    """Seconds, or hours where nobody would count seconds."""
    return f"{seconds:.0f} s" if seconds < LONG else f"{seconds / 3600:.1f} hours"


def _memory(plan: Plan) -> str:
    if plan.device == "cpu":
        return f"{decimal(plan.memory)} and 0.4 GB for the libraries"
    return f"{decimal(plan.memory)} on the device"


def lock_line(entry: dict[str, Any]) -> str:
    """The lock's verdict in one line, with its reason, interval, t* and stable rank."""
    line = f"{entry['verdict']} ({entry['reason']}"
    if entry["low"] is not None:
        line += f"; share of all, 95 % interval {entry['low']:.2f} to {entry['high']:.2f}"
    line += ")"
    if entry["step"] is not None:
        line += f"; median t* step {entry['step']:g}"
        line += f"; stable rank from there max / min {entry['stable_rank_band']:.2f}"
    return line


def inputs_line(inputs: dict[str, Any]) -> str:
    """Which texts the layers were shown."""
    cut = f", {inputs['cut']} cut" if inputs["cut"] else ""
    without = f"; {len(inputs['without'])} parameters without" if inputs["without"] else ""
    return (
        f"inputs: {inputs['kind']} of {inputs['source']}, {inputs['texts']} texts{cut},"
        f" {inputs['tokens']} tokens{without}; their nulls are random updates with these inputs"
    )


def _table(
    start: dict[str, Any] | None, end: dict[str, Any], scope: str, rows: pd.DataFrame
) -> Table:
    title = f"step {end['step']}, {end['matrices']} matrices ({scope}), {end['storage']}"
    table = Table(title=title, box=None, pad_edge=False, title_justify="left")
    table.add_column("")
    for heading in ("value", "null", "95 % interval"):
        table.add_column(heading, justify="right")
    for line in LINES:
        source = start if line.metric == "sim16_end" else end
        if source is not None and (entry := source["metrics"][line.metric])["mean"] is not None:
            null = source["metrics"][line.null] if line.null else {}
            interval = [number(entry.get(side), line) for side in ("low", "high")]
            shown = " to ".join(interval) if all(interval) else ""
            flag = doubt(rows[rows["step"] == source["step"]], line.metric)
            value = number(value_of(entry), line) + (f" ({flag})" if flag else "")
            cells = (line.label, value, number(value_of(null), line), shown)
            table.add_row(*cells, style="dim" if flag else None)
    return table


def value_of(entry: dict[str, Any]) -> float | None:
    """The weighted mean where that is the definition, else the mean over matrices."""
    return entry.get("weighted", entry.get("mean"))


def number(value: float | None, line: Line) -> str:
    """A value as its line writes it; nothing where there is none."""
    return "" if value is None else format(value * line.scale, line.form)
