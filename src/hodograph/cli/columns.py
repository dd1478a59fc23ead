"""`hodograph columns`: what every column of a table means."""

from typing import Annotated, Literal

from cyclopts import Parameter
from rich.table import Table as Printed
from rich.text import Text

from hodograph.cli.terminal import Terminal
from hodograph.tables.declared import TABLES, markdown


def columns(
    *,
    table: Literal["matrices", "pairs", "gates"] = "matrices",
    as_markdown: Annotated[bool, Parameter(name="--markdown", negative="")] = False,
) -> None:
    """Print the declaration of every column: type, unit, formula, source.

    Parameters
    ----------
    table
        matrices (of `hodograph measure`), pairs (of `hodograph compare`) or gates (of
        `hodograph gates`).
    as_markdown
        Print docs/columns.md, docs/pairs.md or docs/gates.md instead of a table for the terminal.
    """
    if as_markdown:
        print(markdown(table), end="")
        return
    printed = Printed("column", "definition", box=None, pad_edge=False)
    for column in TABLES[table][1]:
        unit = f" [{column.unit}]" if column.unit else ""
        definition = f"{column.formula}{unit}; {column.type}; {column.source}"
        printed.add_row(column.name, Text(definition))
    Terminal().print(printed)
