"""Many short texts on one Axes as one artist.

A Text of its own for each is laid out, clipped and measured: half of the time of a heat map.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.artist import Artist
from matplotlib.backend_bases import RendererBase
from matplotlib.colors import to_rgba
from matplotlib.text import Text


@dataclass(frozen=True)
class Word:
    """A text, its colour, and its middle in data coordinates."""

    text: str
    x: float
    y: float
    colour: str


class Words(Artist):
    """Words of one size, each centred on its place by the SVG renderer; the layout ignores them.

    Args:
        words: On one line each.
        size: In points.
    """

    zorder = Text.zorder

    def __init__(self, words: Sequence[Word], size: float) -> None:
        super().__init__()
        self.words = words
        self._anchor = Text(text="0", ha="center", va="baseline", fontsize=size)
        self.set_in_layout(False)

    def draw(self, renderer: RendererBase) -> None:
        """Draw each where `Text` would with its middle there, as high as the font is."""
        anchor, (_, top) = self._anchor, renderer.get_canvas_width_height()
        anchor.set_figure(self.figure)
        anchor.set_position((0, 0))
        box, font = anchor.get_window_extent(renderer), anchor.get_fontproperties()
        down = top + (box.y0 + box.y1) / 2
        places = self.get_transform().transform([(word.x, word.y) for word in self.words])
        for word, (x, y) in zip(self.words, places.tolist(), strict=True):
            anchor.set_position((x, y))
            pen = renderer.new_gc()
            pen.set_foreground(to_rgba(word.colour), isRGBA=True)
            renderer.draw_text(pen, x, down - y, word.text, font, 0.0, False, anchor)
            pen.restore()
