"""`hodograph place`: a measurement among own arms and published runs."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from hodograph.atomic import write_json
from hodograph.cli.printed import Line, number
from hodograph.cli.terminal import Terminal
from hodograph.placement import Placement
from hodograph.placement import place as place_measurement
from hodograph.placement.coordinates import COORDINATES, Arm, distance, incomparable
from hodograph.placement.place import UNKNOWN, held_against_published, unpublished
from hodograph.placement.rule import RULE

LINES = {
    "update_sparsity": Line("update_sparsity", "sparsity, %", None, 100, ".2f"),
    "relative_norm": Line("relative_norm", "relative norm, %", None, 100, ".4f"),
    "angle_left_mean": Line("angle_left_mean", "angle, left, °", None, 1, ".4f"),
    "angle_right_mean": Line("angle_right_mean", "angle, right, °", None, 1, ".4f"),
    "nss": Line("nss", "NSS, x 1e-3", None, 1e3, ".4f"),
    "overlap_principal_30": Line("overlap_principal_30", "in principal, %", None, 100, ".2f"),
    "overlap_low_30": Line("overlap_low_30", "in low, %", None, 100, ".2f"),
    "stable_rank": Line("stable_rank", "stable rank", None, 1, ".2f"),
}
DIGEST = 12  # leading characters that a table shows


def place(
    folder: Path,
    *,
    against: Annotated[list[str] | None, Parameter(negative="")] = None,
    out: Path | None = None,
) -> None:
    """Place the measurement in FOLDER among own arms and published runs.

    It is called SFT-like, OPD-like, RLVR-like or ambiguous by a stated rule, which is printed. Only
    measurements of one W0 and one scope are compared.

    Parameters
    ----------
    folder
        What `hodograph measure --out` wrote, or a run folder with a measurement in it.
    against
        The same of an own arm, or KIND=FOLDER with KIND sft, opd, rlvr or control. Repeat it.
    out
        JSON file for everything that is printed, and for the values of the arms.
    """
    placement = place_measurement(folder, against or [])
    if out is not None:
        write_json(out, placement.record())
    print_placement(Terminal(), placement)


def print_placement(console: Console, placement: Placement) -> None:
    """Print the coordinates beside the arms', what cannot be compared, the anchors, the verdict."""
    console.print(_coordinates(placement))
    for index, other in enumerate(placement.against, 1):
        for reason, names in _reasons(placement.arm, other).items():
            console.print(f"arm {index} not compared by {names}: {reason}", highlight=False)
    console.print(_published(placement.arm))
    for line in _why_not_published(placement.arm):
        console.print(line, highlight=False)
    console.print(f"not published under these definitions: {', '.join(unpublished())}")
    console.print(f"rule: {RULE}", highlight=False)
    said = placement.verdict
    console.print(f"verdict: {said.label} ({said.reason})", highlight=False, style="bold")


def _coordinates(placement: Placement) -> Table:
    mine, others = placement.arm, placement.against
    title = f"step {mine.step}, scope {mine.scope}, {mine.storage}"
    table = Table("", title=title, box=None, pad_edge=False, title_justify="left")
    headings = ("value", "null", *(f"arm {index}" for index in range(1, len(others) + 1)))
    for heading in headings:
        table.add_column(heading, justify="right")
    table.add_row("kind", mine.kind or "", "", *(other.kind or "unknown" for other in others))
    table.add_row("W0", mine.digest[:DIGEST], "", *(other.digest[:DIGEST] for other in others))
    for name in COORDINATES:
        line = LINES[name]
        values = (mine.values[name], mine.nulls[name], *(other.values[name] for other in others))
        table.add_row(line.label, *(number(value, line) for value in values))
    away = [distance(mine, other) for other in others]
    table.add_row("distance", "", "", *("none" if d is None else f"{d:.3f}" for d in away))
    return table


def _reasons(mine: Arm, other: Arm) -> dict[str, str]:
    """Reasons, each with the metrics it holds for."""
    grouped: dict[str, list[str]] = {}
    for name, reason in incomparable(mine, other).items():
        grouped.setdefault(reason, []).append(name)
    return {
        reason: "anything" if len(names) == len(COORDINATES) else ", ".join(names)
        for reason, names in grouped.items()
    }


def _published(mine: Arm) -> Table:
    """The anchors by kind, not by value: different W0 are not ranked."""
    title = f"published update sparsity; other W0, digests {UNKNOWN}"
    table = Table("kind", title=title, box=None, pad_edge=False, title_justify="left")
    table.add_column("%", justify="right")
    table.add_column("here - there", justify="right")
    table.add_column("arXiv")
    table.add_column("W0 > run", overflow="fold")
    for row in sorted(held_against_published(mine), key=lambda row: row["kind"]):
        apart = "" if row["difference"] is None else f"{100 * row['difference']:+.1f}"
        there, paper = f"{100 * row['value']:.1f}", row["source"].removeprefix("arXiv ")
        table.add_row(row["kind"], there, apart, paper, f"{row['base']} > {row['tuned']}")
    return table


def _why_not_published(mine: Arm) -> list[str]:
    reasons = {row["not_comparable"] for row in held_against_published(mine)} - {None}
    return [f"not compared with them: {reason}" for reason in sorted(reasons)]
