import io

import pytest
from rich.table import Table

from hodograph.cli.terminal import Terminal
from hodograph.printable import printable

HOSTILE = "a\x1b[2J\x1b]0;owned\x07\x9b31m\x08\r[bold red]b[/]:smile:\u202ec\ud800"


def test_control_and_direction_characters_are_written_out():
    shown = printable(HOSTILE)
    assert shown.isprintable()
    assert shown.encode()
    assert "\\x1b[2J" in shown
    assert "\\u202e" in shown
    assert "\\ud800" in shown


@pytest.mark.parametrize("text", ["model.layers.0.weight", "Größe 128 × 64, 95 % °\n\tnext"])
def test_other_text_is_left_alone(text):
    assert printable(text) == text


def test_nothing_that_is_printed_acts_on_the_terminal():
    terminal = Terminal()
    terminal.file = written = io.StringIO()
    terminal.print(HOSTILE, soft_wrap=True)
    table = Table(HOSTILE, title=HOSTILE)
    table.add_row(HOSTILE)
    terminal.print(table, width=200)
    text = written.getvalue()
    assert not {"\x1b", "\x07", "\x9b", "\x08", "\u202e"} & set(text)
    assert "[bold red]b[/]:smile:" in text
