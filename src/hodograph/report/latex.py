"""A table of the page in LaTeX, for booktabs."""

from __future__ import annotations

import re

from hodograph.report.flat import places
from hodograph.report.numbers import DASH
from hodograph.report.views import Body, Cell, Head, Table

_SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': "''",
    "\u202f": r"\,", "−": "$-$", "–": "--", "×": r"$\times$", "±": r"$\pm$", "→": r"$\to$",
    "≤": r"$\le$", "≥": r"$\ge$", "‖": r"$\|$", "·": r"$\cdot$", "Σ": r"$\Sigma$",
    "Δ": r"$\Delta$", "α": r"$\alpha$", "κ": r"$\kappa$", "ρ": r"$\rho$", "σ": r"$\sigma$",
    "τ": r"$\tau$", "…": r"\dots{}",
}  # fmt: skip
_RAISED = str.maketrans("⁻⁺⁰¹²³⁴⁵⁶⁷⁸⁹", "-+0123456789")
_LOWERED = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")


def escaped(text: str) -> str:
    r"""Return text that LaTeX sets as it stands, with pdfTeX as well.

    >>> escaped("50 %, 2.5×10⁻⁷, Sim₁₆ of a_b")
    '50 \\\\%, 2.5$\\\\times$10$^{-7}$, Sim$_{16}$ of a\\\\_b'
    """
    text = "".join(_SPECIAL.get(sign, sign) for sign in text)
    text = re.sub("[⁻⁺⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda found: f"$^{{{found[0].translate(_RAISED)}}}$", text)
    return re.sub("[₀-₉]+", lambda found: f"$_{{{found[0].translate(_LOWERED)}}}$", text)


def latex_table(table: Table) -> str:
    """Return a tabular of booktabs; what stands below a number follows it in brackets."""
    lines = [
        "% needs \\usepackage{booktabs}",
        f"% {' '.join(table.caption.split())}",
        rf"\begin{{tabular}}{{{''.join('l' if head.words else 'r' for head in table.heads)}}}",
        r"\toprule",
        _line([_heading(head) for head in table.heads]),
    ]
    for body in table.bodies:
        lines += [r"\midrule", *_body(body, len(table.heads))]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _heading(head: Head) -> str:
    unit = f" ({head.unit})" if head.unit else ""
    return escaped(head.text + unit)


def _body(body: Body, width: int) -> list[str]:
    label = rf"\multicolumn{{{width}}}{{l}}{{\textit{{{escaped(body.label)}}}}} \\"
    return [*([label] if body.label else []), *(_line(row) for row in _filled(body, width))]


def _filled(body: Body, width: int) -> list[list[str]]:
    """Cells of each row; below a cell that spans rows the place is blank."""
    return [["" if cell is None else _cell(cell) for cell in row] for row in places(body, width)]


def _cell(cell: Cell) -> str:
    beside = "; ".join([*cell.below, *([cell.flag] if cell.flag else [])])
    text = escaped(cell.text)
    return f"{text} ({escaped(beside)})" if beside and cell.text != DASH else text


def _line(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"
