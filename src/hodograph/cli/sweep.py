"""`hodograph sweep`: what depends on the choice of a constant."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.table import Table

from hodograph.cli.progress import entries_bar
from hodograph.cli.terminal import Terminal
from hodograph.matrices.pairing import Scope, Unpaired
from hodograph.report.page import render_sweep
from hodograph.sweep import Sweep, named_runs
from hodograph.sweep import sweep as sweep_runs


def sweep(
    *paths: Path,
    out: Path,
    workers: int = 1,
    scope: Scope = "linear",
    exact: Annotated[bool, Parameter(negative="")] = False,
    seed: int = 0,
    unpaired: Unpaired = "error",
) -> None:
    """Vary alpha, r, k, K and the k of the Hill estimate, one at a time.

    PATHS are run folders, each measured from its step 0 to its last checkpoint, or a base and its
    later checkpoints. Every matrix is factored once, so it costs little more than measuring.

    Parameters
    ----------
    paths
        Run folders, or a base followed by checkpoints in the order of training.
    out
        Folder for sweep.parquet, sweep.json and report.html.
    workers
        Processes, one thread each; the numbers are bitwise the same for any number.
    scope
        linear (q, k, v, o, gate, up, down), attention (q, k, v, o) or all.
    exact
        Factor every matrix by a full SVD, the reference, several times slower.
    seed
        Seed of the nulls of the angles and of the bootstrap.
    unpaired
        error, or skip tensors that are not in every checkpoint.
    """
    runs = named_runs(paths)
    with entries_bar("sweeping") as on_progress:
        found = sweep_runs(
            runs, out=out, workers=workers, on_progress=on_progress, scope=scope, exact=exact,
            seed=seed, unpaired=unpaired,
        )  # fmt: skip
    print_sweep(Terminal(), found)
    Terminal().print(f"report: {render_sweep(out)}", soft_wrap=True, highlight=False)


def print_sweep(console: Terminal, found: Sweep) -> None:
    """Print how far each metric moves with its constant, and which orders change."""
    table = Table("", box=None, pad_edge=False)
    for heading in ("constant", "from", "to", "mean, least", "mean, most"):
        table.add_column(heading, justify="right")
    for run, choice, metric, means in _grouped(found.summary["means"]):
        values = [one["value"] for one in means]
        ends = (f"{means[0]['setting']:g}", f"{means[-1]['setting']:g}")
        table.add_row(f"{run}: {metric}", choice, *ends, f"{min(values):.4g}", f"{max(values):.4g}")
    console.print(table)
    for line in order_lines(found.summary):
        console.print(line, highlight=False, soft_wrap=True)


def _grouped(means: list[dict[str, Any]]) -> list[tuple[str, str, str, list[dict[str, Any]]]]:
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for one in means:
        if one["value"] is not None:
            groups.setdefault((one["run"], one["choice"], one["metric"]), []).append(one)
    return [(*key, members) for key, members in groups.items()]


def order_lines(summary: dict[str, Any]) -> list[str]:
    """In words: whether the order of the runs depends on each constant."""
    if summary["not_ordered"]:
        return [f"The runs are not ordered: {summary['not_ordered']}."]
    lines = []
    for one in summary["orders"]:
        orders = {}
        for entry in one["settings"]:
            orders.setdefault(" < ".join(entry["order"]), []).append(f"{entry['setting']:g}")
        if one["same"]:
            lines.append(f"{one['metric']}: {next(iter(orders))} for every {one['choice']}.")
        else:
            said = "; ".join(f"{order} at {', '.join(at)}" for order, at in orders.items())
            lines.append(f"{one['metric']}: the order depends on {one['choice']}: {said}.")
    return lines
