"""What vl-convert does for a page; run as a script, it answers one call over its standard streams.

vl-convert holds the interpreter while it works, so only other processes can work beside it. They
run this file alone, and start in a moment: it imports nothing of hodograph.
"""

import pickle
import sys
from collections.abc import Callable
from typing import Any

import vl_convert


def pdfs(svgs: list[str], fonts: str) -> list[bytes]:
    """SVG documents as PDF, with their text as text in the fonts of a folder."""
    vl_convert.register_font_directory(fonts)
    return [vl_convert.svg_to_pdf(svg) for svg in svgs]


def library() -> str:
    """Vega, Vega-Lite and Vega-Embed (BSD 3-clause) in one script that leaves names alone."""
    return f"(() => {{{vl_convert.javascript_bundle('window.vegaEmbed = vegaEmbed;')}}})();"


CALLS: dict[str, Callable[..., Any]] = {"pdfs": pdfs, "library": library}

if __name__ == "__main__":
    name, arguments = pickle.load(sys.stdin.buffer)
    sys.stdout.buffer.write(pickle.dumps(CALLS[name](*arguments)))
