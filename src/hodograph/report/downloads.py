"""What can be downloaded beside a page: every figure as SVG and PDF, named tables as data.

The files hold what the page shows, digit for digit; all digits are in the tables it was made from.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import fields, is_dataclass
from functools import partial
from pathlib import Path

from hodograph.atomic import storage_error, sweep, write_atomically, write_text
from hodograph.report.flat import csv_text, frame
from hodograph.report.latex import latex_table
from hodograph.report.standalone import document, pdf_files
from hodograph.report.views import Figure, Panel, Table

ENDINGS = {"figures": ("svg", "pdf"), "tables": ("tex", "parquet", "csv")}
"""The folders beside a page, and the endings of the files written there."""


def write_downloads(folder: Path, view: object, made: str) -> set[Path]:
    """Write `figures/` and `tables/` of everything a page shows, and return their files.

    Args:
        folder: That of the page.
        view: What the page shows.
        made: The command that made it.

    Raises:
        StorageError: A file cannot be written.
    """
    for name in ENDINGS:
        sweep(folder / name)
    parts = list(_parts(view))
    written = _write_drawings(folder / "figures", [p for p in parts if isinstance(p, tuple)], made)
    for table in (part for part in parts if isinstance(part, Table)):
        written |= _write_table(folder / "tables" / table.file, table)
    return written


def remove_downloads(folder: Path, *, kept: Collection[Path]) -> None:
    """Remove what an earlier page left in `figures/` and `tables/`: files of the endings above.

    Raises:
        StorageError: A file cannot be removed.
    """
    for name, endings in ENDINGS.items():
        for path in (found for ending in endings for found in (folder / name).glob(f"*.{ending}")):
            if path not in kept and path.is_file():
                try:
                    path.unlink()
                except OSError as error:
                    raise storage_error(path, error) from error


Drawn = tuple[Figure, Panel]
Part = Table | Drawn


def _parts(shown: object) -> Iterator[Part]:
    """Yield the panels of every figure, and every table that has a name, wherever they are."""
    if isinstance(shown, Figure):
        yield from ((shown, panel) for panel in shown.panels)
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


def _each(parts: Iterable[object]) -> Iterator[Part]:
    for part in parts:
        yield from _parts(part)


def _write_drawings(folder: Path, drawn: list[Drawn], made: str) -> set[Path]:
    documents = [document(figure, panel, made) for figure, panel in drawn]
    written: set[Path] = set()
    for (_, panel), one, printed in zip(drawn, documents, pdf_files(documents), strict=True):
        svg, pdf = (_ending(folder / panel.file, ending) for ending in ENDINGS["figures"])
        write_text(svg, one.svg)
        write_atomically(pdf, partial(Path.write_bytes, data=printed))
        written |= {svg, pdf}
    return written


def _write_table(start: Path, table: Table) -> set[Path]:
    tex, parquet, comma = (_ending(start, ending) for ending in ENDINGS["tables"])
    data = frame(table)
    write_text(tex, latex_table(table))
    write_atomically(parquet, lambda path: data.to_parquet(path))
    text = csv_text(data).encode()
    write_atomically(comma, lambda path: path.write_bytes(text))
    return {tex, parquet, comma}


def _ending(start: Path, ending: str) -> Path:
    """Add an ending; a dot in the name is part of it."""
    return start.with_name(f"{start.name}.{ending}")
