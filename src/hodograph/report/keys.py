"""The key of a figure's arms: beside the figure on the page, inside it in a file."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from hodograph.report import figures
from hodograph.report.style import Look, draw
from hodograph.report.views import Key, Panel

_WIDTH, _HEIGHT = 44, 16


def arm_key(how: Mapping[str, Look], ident: str = "") -> Key:
    """Return each arm's name with a drawn sample of its line and marker.

    Args:
        how: How each arm is drawn; one without a name has no entry.
        ident: What ids of the samples start with.
    """
    return [
        (name, Panel(draw(partial(figures.key, look=look), name=f"{ident}key-{index}",
                          label=f"line of {name}", width=_WIDTH, height=_HEIGHT), _WIDTH))
        for index, (name, look) in enumerate(how.items()) if name
    ]  # fmt: skip
