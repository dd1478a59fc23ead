"""A drawing of the page as a file of its own: SVG in the colours of light paper, and PDF."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from hodograph.printable import printable
from hodograph.report import apart
from hodograph.report.head import head, placed_at, title_of
from hodograph.report.pdf import with_information
from hodograph.report.views import Figure, Panel

_ROOT = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="{0:g}" height="{1:g}" viewBox="0 0 {0:g} {1:g}"'
    ' font-family="DejaVu Sans, Verdana, Arial, sans-serif">'
)


def colours(scheme: str = "light") -> dict[str, str]:
    """Return the custom properties of the page's style sheet in one scheme, light or dark."""
    declared = [
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", part))
        for part in _style_sheet().split("@media", 2)[:2]
    ]
    return declared[0] if scheme == "light" else declared[0] | declared[1]


@cache
def _style_sheet() -> str:
    return files("hodograph.report").joinpath("templates/page.css").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Document:
    """A whole SVG document, and what it and its PDF are called and say of themselves."""

    svg: str
    title: str
    subject: str


def document(figure: Figure, panel: Panel, made: str) -> Document:
    """Return a panel of a figure as a document that can be read without the page.

    Above the drawing stand its title with the unit and the key of the arms; title and caption with
    the command that made it are its <title> and <desc>. Lengths are CSS pixels.
    """
    title, (width, height) = title_of(figure, panel), panel.size
    above, room, top = head(title, [(printable(name), one) for name, one in figure.key], width)
    whole, subject = max(width, room), said(figure, made)
    body = "".join((
        _ROOT.format(whole, top + height),
        f"<title>{html.escape(title)}</title>",
        f"<desc>{html.escape(subject)}</desc>",
        '<rect width="100%" height="100%" fill="var(--paper)"/>',
        above, placed_at(panel, 0, top), "</svg>\n",
    ))  # fmt: skip
    light = colours()
    svg = re.sub(r"var\(--([\w-]+)\)", lambda found: light.get(found[1], found[0]), body)
    return Document(svg, title, subject)


def said(figure: Figure, made: str) -> str:
    """Return the caption of a figure's files and the command that made them."""
    return printable(f"{figure.caption} Made by: {made}")


def pdf_files(documents: Sequence[Document]) -> list[bytes]:
    """Return documents as PDF, with their text as text, under their titles and subjects."""
    printed = apart.pdfs([document.svg for document in documents])
    return [
        with_information(pdf, document.title, document.subject)
        for pdf, document in zip(printed, documents, strict=True)
    ]
