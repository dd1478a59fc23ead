"""Names from files are data: nothing in them may act on a terminal, a page or a figure."""

import re

ACTING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, but for tab and newline
    "\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # direction, hidden, breaks
    "\ud800-\udfff\U000e0000-\U000e007f]"  # unpaired halves, tags
)


def printable(text: str) -> str:
    r"""The text with control, direction and unpaired characters written out, as `\x1b`."""
    return ACTING.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
