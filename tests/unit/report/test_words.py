import re

import pytest

from hodograph.report.style import INK, PAPER, draw
from hodograph.report.words import Word, Words

WORDS = [
    Word("1.50", 0.2, 0.9, INK),
    Word("–", 0.5, 0.1, PAPER),
    Word("−2.5×10⁻⁷ g*?", 0.7, 0.4, "#111111"),
]


def texts(svg):
    """Text elements; matplotlib writes no turn as one by 0 or by -0."""
    return [part.replace("rotate(-0", "rotate(0") for part in re.findall("<text.*?</text>", svg)]


@pytest.mark.parametrize("size", [9, 11.5])
def test_words_stand_where_matplotlib_puts_texts(size):
    def one_by_one(axes):
        for word in WORDS:
            axes.text(word.x, word.y, word.text, ha="center", va="center", fontsize=size,
                      color=word.colour, in_layout=False)  # fmt: skip

    def at_once(axes):
        axes.add_artist(Words(WORDS, size))

    drawn = [
        draw(plot, name="x", label="", width=200, height=150) for plot in (one_by_one, at_once)
    ]
    first, second = map(texts, drawn)
    assert sorted(first) == sorted(second)
    assert sum("−2.5×10⁻⁷ g*?" in text for text in second) == 1


def test_words_do_not_move_the_axes():
    wide = [Word("far beyond the right end of it all", 1.0, 0.5, INK)]
    empty = draw(lambda axes: axes.plot([0, 1]), name="x", label="", width=200, height=150)
    filled = draw(
        lambda axes: (axes.plot([0, 1]), axes.add_artist(Words(wide, 9))),
        name="x", label="", width=200, height=150,
    )  # fmt: skip
    assert set(texts(empty)) < set(texts(filled))
