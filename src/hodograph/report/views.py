"""What the templates draw: tables of cells, and figures of panels."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from hodograph.report.numbers import DASH


def plain(name: str) -> str:
    """Return a name that can be an id and a file: arms and storages are read from files.

    >>> plain("../float32"), plain("heat-opd α=.5")
    ('.._float32', 'heat-opd_α_.5')
    """
    return re.sub(r"[^\w.-]+", "_", name)


@dataclass(frozen=True)
class Cell:
    """One cell: its text, smaller lines below, and why it is missing or greyed."""

    text: str
    below: tuple[str, ...] = ()
    title: str = ""
    flag: str = ""
    link: str = ""
    rows: int = 1
    header: bool = False
    words: bool = False


def absent(reason: str) -> Cell:
    """Return the cell of a value that is not there: a dash that says why."""
    return Cell(DASH, title=reason)


@dataclass(frozen=True)
class Head:
    """A column's heading, its unit, its definition as a title; over words, left."""

    text: str
    unit: str = ""
    title: str = ""
    words: bool = False


@dataclass(frozen=True)
class Body:
    """Rows under one heading; an empty heading is not drawn."""

    rows: list[list[Cell]]
    label: str = ""


@dataclass(frozen=True)
class Table:
    """A captioned table; one with a name is written to `tables/` as data too."""

    caption: str
    heads: list[Head]
    bodies: list[Body]
    name: str = ""

    @property
    def file(self) -> str:
        """Name of its files in `tables/`, without the ending; empty where it has none."""
        return plain(self.name)


class Drawing(Markup):
    """An inline SVG element, and the name it has on the page and as a file."""

    name: str

    @classmethod
    def of(cls, svg: str, name: str) -> Drawing:
        """Return the SVG under its name."""
        drawing = cls(svg)
        drawing.name = name
        return drawing


@dataclass(frozen=True)
class Panel:
    """One drawn Axes: its SVG, its width in CSS pixels, the heading above it, and its unit."""

    svg: Drawing
    width: int
    title: str = ""
    unit: str = ""

    @property
    def file(self) -> str:
        """Name of its files in `figures/`, without the ending."""
        return self.svg.name

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the drawing in CSS pixels."""
        box = re.match(r'<svg viewBox="0 0 ([\d.]+) ([\d.]+)"', self.svg)
        if box is None:
            raise ValueError("a drawing of the page starts with its viewBox")
        return float(box[1]), float(box[2])


Key = Sequence[tuple[str, Panel]]
"""The name of each arm, and a drawn sample of its line."""


@dataclass(frozen=True)
class Figure:
    """Panels that belong together, with a caption and the numbers behind them.

    `key` is that of the arms, for the figure's files: the page shows one for several figures.
    """

    title: str
    caption: str
    panels: list[Panel]
    values: Table | None = None
    key: Key = ()
