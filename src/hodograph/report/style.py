"""The one style of all figures, and the step from a matplotlib Figure to inline SVG.

Figures are drawn in placeholder colours that no figure means as such; in the SVG each becomes a
CSS custom property, so that one drawing is legible on light and on dark paper.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from hodograph.report.views import Drawing, plain

INK, MUTED, GRID, PAPER = "#100001", "#100002", "#100003", "#100004"
ARMS = tuple(f"#10001{index}" for index in range(8))
_PROPERTIES = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    GRID: "var(--grid)",
    PAPER: "var(--paper)",
} | {colour: f"var(--arm-{index})" for index, colour in enumerate(ARMS)}

_MARKERS = "osD^vPX*"
_LINES = ("-", "--", "-.", ":")

_RC = {
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 11,
    "text.parse_math": False,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.facecolor": "none",
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "axes.formatter.use_mathtext": False,
    "figure.facecolor": "none",
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "hatch.color": MUTED,
    "hatch.linewidth": 0.5,
    "lines.linewidth": 1.6,
    "lines.markersize": 5,
    "xtick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.color": MUTED,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 10.5,
    "ytick.labelsize": 10.5,
}


@dataclass(frozen=True)
class Look:
    """How one arm is drawn everywhere: colour, marker and line, distinct without the colour."""

    colour: str
    marker: str
    line: str


def looks(names: Iterable[str]) -> dict[str, Look]:
    """Give each arm its look, in order; eight colours and markers, then other line patterns."""
    return {
        name: Look(ARMS[index % 8], _MARKERS[index % 8], _LINES[index // 8 % 4])
        for index, name in enumerate(names)
    }


def draw(
    plot: Callable[[Axes], object], *, name: str, label: str, width: int, height: int
) -> Drawing:
    """Draw one Axes and return it as an SVG element to put into a page.

    Args:
        plot: Draws on the Axes it is given.
        name: Unique on the page; ids inside the SVG and names of its files start with it.
        label: What the figure shows, in words, for readers who cannot see it.
        width: Width in CSS pixels at natural size.
        height: Height in CSS pixels at natural size.
    """
    with mpl.rc_context({**_RC, "svg.hashsalt": name}):
        figure = Figure(figsize=(width / 72, height / 72), dpi=72, layout="constrained")
        canvas = FigureCanvasSVG(figure)
        plot(figure.add_subplot())
        text = io.StringIO()
        _lay_out(figure)
        canvas.print_svg(text, metadata={"Date": None, "Creator": None})
    return Drawing.of(_inline(text.getvalue(), plain(name), label), plain(name))


def _lay_out(figure: Figure) -> None:
    """Place what the figure holds, once; `savefig` would draw the whole twice to do so."""
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine("none")


def _inline(svg: str, name: str, label: str) -> str:
    svg = svg[svg.index("<svg") :]
    body = svg[svg.index(">") + 1 :]
    view_box = re.search(r'viewBox="[^"]*"', svg)
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"<!--.*?-->", "", body, flags=re.DOTALL)
    body = body.replace("xlink:href", "href")
    body = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font-size: \1", body)
    body = _own_ids(body, name)
    for colour, variable in _PROPERTIES.items():
        body = body.replace(colour, variable)
    body = re.sub(r">\s+<", "><", body)
    box = view_box.group() if view_box else ""
    return f'<svg {box} role="img" aria-label="{html.escape(label)}">{body}'


def _own_ids(body: str, name: str) -> str:
    """Drop ids nothing refers to, and make the others unique on the page."""
    used = set(re.findall(r"(?:href=\"#|url\(#)([^\")]+)", body))

    def rename(match: re.Match[str]) -> str:
        return f' id="{name}-{match[1]}"' if match[1] in used else ""

    body = re.sub(r' id="([^"]*)"', rename, body)
    return re.sub(r"(href=\"#|url\(#)", rf"\g<1>{name}-", body)
