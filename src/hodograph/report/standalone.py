"""A drawing of the page as a file of its own: SVG in the colours of light paper, and PDF."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from pathlib import Path

import matplotlib as mpl
from markupsafe import Markup

_ROOT = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
    'font-family="DejaVu Sans, Verdana, Arial, sans-serif"'
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


def svg_file(drawing: Markup) -> str:
    """Return a drawing as a whole SVG document, its size in CSS pixels."""
    light = colours()
    body = re.sub(r"var\(--([\w-]+)\)", lambda found: light[found[1]], str(drawing))
    size = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', body)
    if size is None:
        raise ValueError("a drawing of the page starts with its viewBox")
    return body.replace("<svg", _ROOT.format(width=size[1], height=size[2]), 1) + "\n"


def pdf_file(svg: str) -> bytes:
    """Return an SVG document as PDF, with its text as text."""
    _register_fonts()
    import vl_convert  # heavy: only where files are written

    return vl_convert.svg_to_pdf(svg)


@cache
def _register_fonts() -> None:
    import vl_convert

    vl_convert.register_font_directory(str(Path(mpl.get_data_path()) / "fonts" / "ttf"))
