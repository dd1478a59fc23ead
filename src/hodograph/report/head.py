"""What stands above a drawing in its file: title with unit, and the key of the arms."""

from __future__ import annotations

import html
from collections.abc import Sequence
from itertools import groupby

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from hodograph.printable import printable
from hodograph.report.views import Figure, Key, Panel

_MARGIN, _LINE, _BETWEEN = 8, 19, 18  # CSS pixels, as all lengths here
_TITLE, _NAME = 13, 11
_SAMPLE, _AFTER = 44, 6


def title_of(figure: Figure, panel: Panel) -> str:
    """Say what a panel shows, and in which unit."""
    named = ": ".join(part for part in (figure.title, panel.title) if part)
    unit = panel.unit.replace(" ", "\u00a0")  # one word, never broken
    return printable(f"{named} [{unit}]" if unit else named)


def head(title: str, key: Key, width: float) -> tuple[str, float, float]:
    """Return SVG elements in the page's colours, and the width and height that they need.

    Args:
        title: Broken between words where it is too long.
        key: Entries flow in rows below the title.
        width: Of the drawing below; exceeded where one word or one entry is wider.
    """
    words = title.split(" ")
    sizes = [_measured(word, _TITLE) for word in words]
    entries = [_SAMPLE + _AFTER + _measured(name, _NAME) for name, _ in key]
    room = max([width - 2 * _MARGIN, *sizes, *entries])
    lines = _flow(sizes, room, _measured(" ", _TITLE))
    drawn, top = [], _MARGIN
    for _, placed in groupby(zip(words, lines, strict=True), lambda one: one[1][1]):
        text = " ".join(word for word, _ in placed)
        drawn.append(_text(text, _MARGIN, top + 13, _TITLE))
        top += _LINE
    rows = _flow(entries, room, _BETWEEN)
    for (name, panel), (left, row) in zip(key, rows, strict=True):
        x, y = _MARGIN + left, top + row * _LINE
        drawn.append(placed_at(panel, x, y))
        drawn.append(_text(name, x + _SAMPLE + _AFTER, y + 12, _NAME))
    under = top + (rows[-1][1] + 1) * _LINE if rows else top
    return "".join(drawn), room + 2 * _MARGIN, under


def placed_at(panel: Panel, x: float, y: float) -> str:
    """Return a panel's SVG element as part of another, its upper left corner there."""
    width, height = panel.size
    where = f'<svg x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}"'
    return str(panel.svg).replace("<svg", where, 1)


def _flow(widths: Sequence[float], room: float, between: float) -> list[tuple[float, int]]:
    """Place boxes in rows no wider than the room: the left end and the row of each."""
    places, left, row = [], 0.0, 0
    for width in widths:
        if left > 0 and left + width > room:
            left, row = 0.0, row + 1
        places.append((left, row))
        left += width + between
    return places


def _text(text: str, x: float, y: float, size: int) -> str:
    where = f'x="{x:g}" y="{y:g}" font-size="{size}" fill="var(--ink)"'
    return f"<text {where}>{html.escape(text)}</text>"


def _measured(text: str, size: int) -> float:
    font = FontProperties(family="DejaVu Sans", size=size)
    return text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]
