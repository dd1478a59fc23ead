"""Pages beside the tables they are made from, in a folder or in an object store."""

from collections.abc import Callable
from pathlib import Path

from hodograph.report.page import render, render_measurement
from hodograph.storage import open_store
from hodograph.tables.store import SUMMARY_FILE, TABLE_FILE


def render_at(place: Path) -> str:
    """Write the page of a measurement, and say where it is."""
    return _beside(place, render_measurement)


def report_at(place: Path) -> str:
    """Write the page of whatever the place holds, and say where it is."""
    return _beside(place, render)


def _beside(place: Path, write: Callable[[Path], Path]) -> str:
    store = open_store(place)
    with store.copy((TABLE_FILE, SUMMARY_FILE)) as folder:
        page = write(folder)
    return f"{store.where}/{page.name}"
