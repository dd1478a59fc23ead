"""Write `explorer.html`: charts, library and values in one file that asks for nothing.

The values of each metric and the library are deflated and written in base64; the page's script
inflates a metric when it is chosen. The script's hash and the library's are all that the page's
content security policy lets run; expressions of the charts are interpreted, not compiled, so that
it need not allow eval.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from hodograph.atomic import write_text
from hodograph.printable import printable
from hodograph.report.apart import library
from hodograph.report.explorer.values import Axes, ExploredRun, axes_of, block, gathered
from hodograph.report.missing import why_missing
from hodograph.report.names import HEAT_MAPS, TITLES, TRAJECTORIES, null_of, storage_free
from hodograph.tables.columns import BY_NAME

EXPLORER_FILE = "explorer.html"
MOST_BYTES = 1_950_000
"""Of the whole file; metrics that do not fit are named on the page."""
_FIRST = "stable_rank"
_RESERVED = 60_000  # of the page around values and library


def write_explorer(
    folder: Path, title: str, runs: Sequence[ExploredRun], environment: Environment
) -> Path:
    """Write the explorer of these runs and return its path.

    Args:
        folder: Where `report.html` lies.
        title: Names the study or the measurement.
        runs: What is explored; at least one.
        environment: Finds the page's templates.
    """
    bundled, script = library(), _template_file("explorer.js")
    axes = axes_of(runs)
    packed = _deflated(bundled)
    held, left_out = _blocks(axes, MOST_BYTES - len(packed) - _RESERVED)
    text = environment.get_template("explorer.html.j2").render(
        title=title,
        hashes=[_hash(bundled), _hash(script)],
        explorer_css=Markup(_template_file("explorer.css")),
        notes=_notes(axes, held, left_out),
        data=Markup(_json(_described(axes, list(held)))),
        blocks={name: Markup(value) for name, value in held.items()},
        library=Markup(packed),
        script=Markup(script),
    )
    path = folder / EXPLORER_FILE
    write_text(path, printable(text))
    return path


def _blocks(axes: Axes, room: int) -> tuple[dict[str, str], list[str]]:
    """Return the deflated values of the metrics that fit, in the page's order, and the others."""
    columns = gathered(axes)
    held, left_out = {}, []
    for metric in dict.fromkeys((_FIRST, *TRAJECTORIES, *HEAT_MAPS, *TITLES)):
        values = block(axes, metric, columns)
        if values is None:
            continue
        packed = _deflated(json.dumps(values, separators=(",", ":")))
        if len(packed) <= room:
            held[metric], room = packed, room - len(packed)
        else:
            left_out.append(metric)
    return {metric: held[metric] for metric in TITLES if metric in held}, left_out


def _described(axes: Axes, metrics: list[str]) -> dict[str, Any]:
    runs = [[run.arm, run.seed] for run in axes.runs]
    origin = {run.arm: run.origin for run in axes.runs}
    return {
        "runs": runs,
        "lines": runs if axes.seeds_kept else [[arm, None] for arm in axes.arms],
        "arms": axes.arms,
        "origins": [origin[arm] for arm in axes.arms],
        "storages": axes.storages,
        "steps": axes.steps,
        "kept_steps": axes.kept_steps,
        "cells": axes.cells,
        "metrics": [_metric(name) for name in metrics],
        "first": _FIRST if _FIRST in metrics else metrics[0],
        "charts": json.loads(_template_file("charts.json")),
    }


def _metric(name: str) -> dict[str, Any]:
    column, null = BY_NAME[name], null_of(name)
    return {
        "name": name,
        "title": TITLES[name],
        "family": column.family,
        "unit": "" if column.unit in ("ratio", "cosine") else column.unit,
        "formula": column.formula,
        "source": column.source,
        "null": null,
        "null_formula": BY_NAME[null].formula if null else None,
        "storage_free": storage_free(name),
    }


def _notes(axes: Axes, held: dict[str, str], left_out: list[str]) -> list[str]:
    several = len(axes.runs) > len(axes.arms)
    seeds = ", then over seeds; a point is one seed, the line their mean" if several else ""
    notes = [
        f"Values are plain means over the matrices chosen, each matrix once{seeds}. "
        "Lighter and dotted: the null. Hollow, or with a question mark: some of the matrices are "
        "too near the rounding noise of their storage."
    ]
    if len({run.origin for run in axes.runs}) > 1:
        notes.append(
            "Arms start from different W0: compare them within a group. The largest is shown first."
        )
    if not axes.whole:
        averaged = ", averaged over seeds" if several and not axes.seeds_kept else ""
        notes.append(
            f"To stay small, single cells are kept at steps {_listed(axes.kept_steps)} of "
            f"{len(axes.steps)}{averaged}; means over all at every step and of every seed."
        )
    if left_out:
        notes.append(f"Left out for size: {_listed([TITLES[name] for name in left_out])}.")
    table = axes.runs[0].measurement.table
    without = [name for name in TITLES if name not in held and name not in left_out]
    notes += [f"{TITLES[name]}: {why_missing(name, table)}." for name in without]
    notes.append(
        "Means over all matrices are shown with four significant digits, cells with three. All "
        "digits and all columns are in matrices.parquet of each measurement."
    )
    return notes


def _listed(items: Sequence[object]) -> str:
    return ", ".join(str(item) for item in items)


def _template_file(name: str) -> str:
    return files("hodograph.report").joinpath(f"templates/{name}").read_text(encoding="utf-8")


def _deflated(text: str) -> str:
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _json(content: object) -> str:
    """JSON that cannot end the script element it stands in."""
    return json.dumps(content, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")
