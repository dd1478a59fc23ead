"""A study's arms side by side, as a terminal shows them: quantities down, arms across."""

import json
from pathlib import Path
from statistics import mean
from typing import Any

from rich.console import Console
from rich.table import Table

from hodograph.cli.printed import LEGEND, LINES, Line, number, value_of

Runs = list[dict[str, Any]]


def print_study(console: Console, folder: Path) -> None:
    """Print accuracies of the stages, and every arm's last checkpoint beside its nulls."""
    study = json.loads((folder / "study.json").read_text())
    runs: Runs = study["runs"]
    for name in dict.fromkeys(run["name"] for run in runs if run["role"] == "stage"):
        console.print(f"{name}: accuracy {_accuracy(_named(runs, name), 'end')}", highlight=False)
    arms = list(dict.fromkeys(run["name"] for run in runs if run["role"] == "arm"))
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for arm in arms:
        table.add_column(arm, justify="right")
    for label, key in (("accuracy before", "start"), ("accuracy after", "end")):
        table.add_row(label, *(_accuracy(_named(runs, arm), key) for arm in arms))
    last = {arm: _last(folder, _named(runs, arm)) for arm in arms}
    for line in LINES:
        cells = [_cell(last[arm], line) for arm in arms]
        if any(cells):
            table.add_row(line.label, *cells)
    table.add_row("lock", *(_lock(folder, _named(runs, arm)) for arm in arms))
    console.print(table)
    seeds = len(study["seeds"])
    over = "one seed: no interval over seeds" if seeds == 1 else f"means over {seeds} seeds"
    console.print(f"Last step, as stored; in brackets the null; {over}.")
    for line in LEGEND:
        console.print(line, highlight=False)


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
