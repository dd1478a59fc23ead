"""What the templates draw: tables of cells, and figures of panels."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from hodograph.report.numbers import DASH


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
    """A captioned table."""

    caption: str
    heads: list[Head]
    bodies: list[Body]


@dataclass(frozen=True)
class Panel:
    """One drawn Axes: its SVG, its width in CSS pixels, and the heading above it."""

    svg: Markup
    width: int
    title: str = ""


@dataclass(frozen=True)
class Figure:
    """Panels that belong together, with a caption and the numbers behind them."""

    title: str
    caption: str
    panels: list[Panel]
    values: Table | None = None
