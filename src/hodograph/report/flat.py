"""A table of the page as a data frame, and as CSV."""

from __future__ import annotations

import math
import re

import pandas as pd

from hodograph.report.numbers import DASH
from hodograph.report.views import Body, Cell, Head, Table

_NUMBER = re.compile(r"(−?)([0-9]+(?:\.[0-9]+)?)(?:×10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+))?")
_LEVEL = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def places(body: Body, width: int) -> list[list[Cell | None]]:
    """Put each cell of a body where the page draws it; None lies below a cell that spans rows."""
    rows: list[list[Cell | None]] = []
    spanned = [0] * width
    for given in body.rows:
        cells, row = iter(given), list[Cell | None]()
        for column in range(width):
            cell = None if spanned[column] else next(cells)
            spanned[column] = spanned[column] - 1 if cell is None else cell.rows - 1
            row.append(cell)
        rows.append(row)
    return rows


def frame(table: Table) -> pd.DataFrame:
    """Return the table with the digits the page shows.

    A column in which every cell is one number or a dash holds float64, NaN for the dash; any other
    holds text. A column named `..., beside` follows where cells have smaller lines, a doubt, or
    a reason for being empty. The headings of bodies are the first column, `group`.
    """
    width = len(table.heads)
    bodies = [(body, _filled(places(body, width))) for body in table.bodies]
    columns: dict[str, pd.Series] = {}
    if any(body.label for body in table.bodies):
        columns["group"] = pd.Series([body.label for body, rows in bodies for _ in rows], dtype=str)
    for place, head in enumerate(table.heads):
        cells = [row[place] for _, rows in bodies for row in rows]
        name = _unused(_name(head), columns)
        columns[name] = _values([cell.text for cell in cells])
        beside = ["; ".join(_beside(cell)) for cell in cells]
        if any(beside):
            columns[f"{name}, beside"] = pd.Series(beside, dtype=str)
    return pd.DataFrame(columns)


def csv_text(table: pd.DataFrame) -> str:
    """Return CSV (RFC 4180); an apostrophe before what a spreadsheet would run as a formula."""
    text = table.select_dtypes(exclude="number").columns
    shown = table.assign(**{name: table[name].map(_no_formula) for name in text})
    return shown.rename(columns=_no_formula).to_csv(index=False, lineterminator="\r\n")


def number(text: str) -> float | None:
    """Read a number as `numbers` writes it; None where the text is not one number alone.

    >>> number("−2.50×10⁻⁷"), number("1\u202f234"), number("0.55 → 0.74")
    (-2.5e-07, 1234.0, None)
    """
    found = _NUMBER.fullmatch(text.replace("\u202f", ""))
    if found is None:
        return None
    sign, digits, power = found.groups()
    return float(f"{'-' if sign else ''}{digits}e{(power or '0').translate(_LEVEL)}")


def _filled(rows: list[list[Cell | None]]) -> list[list[Cell]]:
    above: list[Cell] = []
    filled = []
    for row in rows:
        above = [cell or above[column] for column, cell in enumerate(row)]
        filled.append(above)
    return filled


def _name(head: Head) -> str:
    return f"{head.text} ({head.unit})" if head.unit else head.text


def _unused(name: str, taken: dict[str, pd.Series]) -> str:
    count = sum(1 for other in taken if re.fullmatch(rf"{re.escape(name)}( \d+)?", other))
    return f"{name} {count + 1}" if count else name


def _values(texts: list[str]) -> pd.Series:
    numbers = [math.nan if text == DASH else number(text) for text in texts]
    if all(value is not None for value in numbers) and set(texts) != {DASH}:
        return pd.Series(numbers, dtype="float64")
    return pd.Series(texts, dtype=str)


def _beside(cell: Cell) -> list[str]:
    why = [cell.title] if cell.text == DASH and cell.title else []
    return [*cell.below, *([cell.flag] if cell.flag else []), *why]


def _no_formula(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
