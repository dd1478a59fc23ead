"""Where commands print: what comes from files is text there, never markup or a control sequence."""

import unicodedata
from typing import Any

from rich.console import Console
from rich.text import Text

KEPT = "\n\t"
UNSAFE = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # control, direction, lone surrogates, odd line ends


class Terminal(Console):
    """A console on which names from files can neither colour, move, hide nor ring anything."""

    def __init__(self, *, stderr: bool = False, soft_wrap: bool = False) -> None:
        super().__init__(stderr=stderr, soft_wrap=soft_wrap, markup=False, emoji=False)

    def render_str(self, text: str, **options: Any) -> Text:
        """Turn a string into what is shown; every string that is printed passes here."""
        return super().render_str(printable(text), **options)


def printable(text: str) -> str:
    r"""The text with control, direction and unpaired characters written out, as `\x1b`."""
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character in KEPT or unicodedata.category(character) not in UNSAFE:
        return character
    return character.encode("unicode_escape").decode()
