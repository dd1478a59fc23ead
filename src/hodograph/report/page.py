"""Write `report.html`: one file that opens from disk and asks for nothing else."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from hodograph.atomic import write_atomically, write_json
from hodograph.errors import StorageError
from hodograph.printable import printable
from hodograph.report.apart import library_ahead
from hodograph.report.downloads import remove_downloads, write_downloads
from hodograph.report.explorer.page import EXPLORER_FILE, write_explorer
from hodograph.report.explorer.values import ExploredRun
from hodograph.report.glossary import PAPERS, glossary
from hodograph.report.measurement import measurement_view
from hodograph.report.read import read_measurement, read_study
from hodograph.report.study import study_view
from hodograph.report.sweep import sweep_view
from hodograph.tables.store import read_measurement as read_table
from hodograph.tables.sweep import SWEEP

ORDERINGS_FILE = "orderings.json"


def render(folder: Path) -> Path:
    """Write the report of a study, a sweep or a measurement, whichever the folder holds.

    Raises:
        StorageError: The folder holds neither, or what it holds cannot be read.
    """
    if (folder / "study.json").exists():
        return render_study(folder)
    if (folder / SWEEP.summary_file).exists():
        return render_sweep(folder)
    if (folder / "summary.json").exists() or (folder / "matrices.parquet").exists():
        return render_measurement(folder)
    raise StorageError(
        f"{folder} holds nothing to report: neither study.json nor matrices.parquet and "
        "summary.json.\n  Name the folder given to --out of a measurement or study that has ended."
    )


def render_measurement(folder: Path) -> Path:
    """Write the report of one measurement and return its path.

    Raises:
        StorageError: A file is missing, corrupt or lacks needed columns.
    """
    measurement = read_measurement(folder)
    with library_ahead():
        view = measurement_view(measurement)
    run = ExploredRun("this run", None, "", measurement)
    write_explorer(
        folder, f"{measurement.summary.base.path} → {view['last']}", [run], _environment()
    )
    return _write(folder, "measurement.html.j2", view | {"explorer": EXPLORER_FILE})


def render_study(folder: Path) -> Path:
    """Write the report of a study and `orderings.json`, and return the report's path.

    Raises:
        StorageError: `study.json` or a measurement it names is missing or corrupt.
    """
    study = read_study(folder)
    with library_ahead():
        view = study_view(folder, study)
    write_json(folder / ORDERINGS_FILE, view["ordered"])
    explored = view.pop("explored")
    if explored:
        write_explorer(folder, study.name, explored, _environment())
    return _write(folder, "study.html.j2", view | {"explorer": EXPLORER_FILE if explored else ""})


def render_sweep(folder: Path) -> Path:
    """Write the report of a sweep and return its path.

    Raises:
        StorageError: The folder holds no finished sweep, or a damaged one.
    """
    _, summary = read_table(folder, SWEEP)
    return _write(folder, "sweep.html.j2", sweep_view(summary) | {"explorer": ""})


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("hodograph.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = files("hodograph.report").joinpath("templates/page.css").read_text(encoding="utf-8")
    shared: dict[str, Any] = {"css": Markup(style), "glossary": glossary(), "papers": PAPERS}
    environment.globals.update(shared)
    environment.filters["flat"] = flat
    return environment


def flat(settings: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return nested settings as dotted names and values, in order."""
    pairs: list[tuple[str, str]] = []
    for name, value in settings.items():
        if isinstance(value, dict) and value:
            pairs += flat(value, f"{prefix}{name}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            pairs.append((f"{prefix}{name}", text))
    return pairs


def _write(folder: Path, template: str, view: dict[str, Any]) -> Path:
    text = printable(_environment().get_template(template).render(**view))
    written = write_downloads(folder, view, view["made"])
    path = folder / "report.html"
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
    remove_downloads(folder, kept=written)  # the page before this one no longer links them
    return path
