"""A study's arms side by side, as a terminal shows them: arms down, a few quantities a table."""

import json
from pathlib import Path
from statistics import mean
from typing import Any

from rich.console import Console
from rich.table import Table

from hodograph.cli.printed import LEGEND, LINES, Line, number, value_of

Runs = list[dict[str, Any]]
BEFORE, AFTER, LOCK = "before", "after", "lock"
GROUPS = {  # each narrow enough for 100 columns, beside names of 30 characters
    "accuracy and size": (BEFORE, AFTER, "sparsity, %", "relative norm, %", "kappa"),
    "rotation and shift": ("angle, left, °", "angle, right, °", "NSS, x 1e-3", "stable rank"),
    "place": ("in principal, %", "in low, %", "energy top 16, %", "Hill, k = 11"),
    "inputs and lock": ("overlap with inputs", "energy in inputs, %", LOCK),
}


def print_study(console: Console, folder: Path) -> None:
    """Print accuracies of the stages, and every arm's last checkpoint beside its nulls."""
    study = json.loads((folder / "study.json").read_text())
    runs: Runs = study["runs"]
    for name in dict.fromkeys(run["name"] for run in runs if run["role"] == "stage"):
        console.print(f"{name}: accuracy {_accuracy(_named(runs, name), 'end')}", highlight=False)
    arms = list(dict.fromkeys(run["name"] for run in runs if run["role"] == "arm"))
    columns = _columns(folder, {arm: _named(runs, arm) for arm in arms})
    for title, headings in GROUPS.items():
        shown = {heading: columns[heading] for heading in headings if any(columns[heading])}
        if shown:
            console.print(_table(title, arms, shown))
    seeds = len(study["seeds"])
    over = "one seed: no interval over seeds" if seeds == 1 else f"means over {seeds} seeds"
    console.print(f"Last step, as stored; in brackets the null; {over}.")
    for line in LEGEND:
        console.print(line, highlight=False)


def _columns(folder: Path, runs: dict[str, Runs]) -> dict[str, list[str]]:
    """Every quantity's cells by its heading, one an arm."""
    last = [_last(folder, of_arm) for of_arm in runs.values()]
    columns = {line.label: [_cell(metrics, line) for metrics in last] for line in LINES}
    columns |= {
        BEFORE: [_accuracy(of_arm, "start") for of_arm in runs.values()],
        AFTER: [_accuracy(of_arm, "end") for of_arm in runs.values()],
        LOCK: [_lock(folder, of_arm) for of_arm in runs.values()],
    }
    return columns


def _table(title: str, arms: list[str], columns: dict[str, list[str]]) -> Table:
    table = Table(title=title, box=None, pad_edge=False, title_justify="left")
    table.add_column("")
    for heading in columns:
        table.add_column(heading, justify="right")
    for row in zip(arms, *columns.values(), strict=True):
        table.add_row(*row)
    return table


def _named(runs: Runs, name: str) -> Runs:
    return [run for run in runs if run["name"] == name]


def _accuracy(runs: Runs, key: str) -> str:
    found = [run["accuracy"][key] for run in runs if run["accuracy"][key] is not None]
    return f"{100 * mean(found):.1f} %" if found else ""


def _last(folder: Path, runs: Runs) -> Runs:
    """Metrics of each seed's last step, in the storage the checkpoints are in."""
    return [_stored_end(summary)["metrics"] for summary in _summaries(folder, runs)]


def _lock(folder: Path, runs: Runs) -> str:
    """The lock's verdict in that storage, once where all seeds agree."""
    verdicts = [
        summary["lock"][_stored_end(summary)["storage"]]["verdict"]
        for summary in _summaries(folder, runs)
    ]
    return ", ".join(verdicts if len(set(verdicts)) > 1 else verdicts[:1])


def _summaries(folder: Path, runs: Runs) -> Runs:
    measured = [run["measurement"] for run in runs if run["measurement"] is not None]
    return [json.loads((folder / one / "summary.json").read_text()) for one in measured]


def _stored_end(summary: dict[str, Any]) -> dict[str, Any]:
    last = summary["checkpoints"][-1]["step"]
    ends = [c for c in summary["checkpoints"] if c["step"] == last]
    stored = [c for c in ends if c["storage"] != "bfloat16"] or ends
    return stored[0]


def _cell(metrics: Runs, line: Line) -> str:
    if line.metric == "sim16_end":
        return ""  # of the last step with itself
    values = [value_of(m[line.metric]) for m in metrics]
    known = [value for value in values if value is not None]
    if not known:
        return ""
    nulls = [value_of(m[line.null]) for m in metrics] if line.null else []
    beside = [value for value in nulls if value is not None]
    null = f" ({number(mean(beside), line)})" if beside else ""
    return number(mean(known), line) + null
