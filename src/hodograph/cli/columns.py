"""`hodograph columns`: what every column of the matrices table means."""

from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hodograph.tables.columns import COLUMNS
from hodograph.tables.declared import markdown


def columns(
    *, as_markdown: Annotated[bool, Parameter(name="--markdown", negative="")] = False
) -> None:
    """Print the declaration of every column: type, unit, formula, source.

    Parameters
    ----------
    as_markdown
        Print docs/columns.md instead of a table for the terminal.
    """
    if as_markdown:
        print(markdown(), end="")
        return
    table = Table("column", "definition", box=None, pad_edge=False)
    for column in COLUMNS:
        unit = f" [{column.unit}]" if column.unit else ""
        definition = f"{column.formula}{unit}; {column.type}; {column.source}"
        table.add_row(column.name, Text(definition))
    Console().print(table)
