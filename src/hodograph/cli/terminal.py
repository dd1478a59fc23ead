"""Where commands print: what comes from files is text there, never markup or a control sequence."""

from typing import Any

from rich.console import Console
from rich.text import Text

from hodograph.printable import printable


class Terminal(Console):
    """A console on which names from files can neither colour, move, hide nor ring anything."""

    def __init__(
        self, *, stderr: bool = False, soft_wrap: bool = False, quiet: bool = False
    ) -> None:
        super().__init__(stderr=stderr, soft_wrap=soft_wrap, quiet=quiet, markup=False, emoji=False)

    def render_str(self, text: str, **options: Any) -> Text:
        """Turn a string into what is shown; every string that is printed passes here."""
        return super().render_str(printable(text), **options)
