"""How a measurement's matrices were factored, and how many rows miss a target, in one line."""

from __future__ import annotations

from hodograph.report.numbers import count
from hodograph.report.read import Factored


def factored_line(factored: Factored) -> str:
    """Return rows by method and the rows that are flagged `uncertified`; '' without spectra."""
    if not factored.rows:
        return ""
    methods = ", ".join(f"{name} in {count(rows)}" for name, rows in factored.methods.items())
    return (
        f"Factored by {methods} of {count(factored.rows)} rows; uncertified"
        f" {count(factored.uncertified)}: a certificate of the angles or of NSS exceeds its target."
    )
