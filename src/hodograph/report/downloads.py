"""What can be downloaded beside a page: every figure as SVG and PDF, named tables as data.

The files hold what the page shows, digit for digit; all digits are in the tables it was made from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path

from hodograph.atomic import sweep, write_atomically, write_text
from hodograph.report.flat import csv_text, frame
from hodograph.report.latex import latex_table
from hodograph.report.standalone import pdf_file, svg_file
from hodograph.report.views import Figure, Panel, Table


def write_downloads(folder: Path, view: object) -> None:
    """Write `figures/` and `tables/` of everything a page shows.

    Raises:
        StorageError: A file cannot be written.
    """
    figures, tables = folder / "figures", folder / "tables"
    sweep(figures)
    sweep(tables)
    for part in _parts(view):
        if isinstance(part, Table):
            _write_table(tables, part)
        else:
            _write_drawing(figures, part)


def _parts(shown: object) -> Iterator[Table | Panel]:
    """Yield the panels of every figure, and every table that has a name, wherever they are."""
    if isinstance(shown, Figure):
        yield from shown.panels
        yield from _parts(shown.values)
    elif isinstance(shown, Table):
        if shown.name:
            yield shown
    elif isinstance(shown, dict):
        yield from _each(shown.values())
    elif isinstance(shown, list | tuple):
        yield from _each(shown)
    elif is_dataclass(shown) and not isinstance(shown, Panel):
        yield from _each(getattr(shown, field.name) for field in fields(shown))


def _each(parts: Iterable[object]) -> Iterator[Table | Panel]:
    for part in parts:
        yield from _parts(part)


def _write_drawing(folder: Path, panel: Panel) -> None:
    svg = svg_file(panel.svg)
    write_text(folder / f"{panel.file}.svg", svg)
    pdf = pdf_file(svg)
    write_atomically(folder / f"{panel.file}.pdf", lambda path: path.write_bytes(pdf))


def _write_table(folder: Path, table: Table) -> None:
    data = frame(table)
    write_text(folder / f"{table.file}.tex", latex_table(table))
    write_atomically(folder / f"{table.file}.parquet", lambda path: data.to_parquet(path))
    text = csv_text(data).encode()
    write_atomically(folder / f"{table.file}.csv", lambda path: path.write_bytes(text))
