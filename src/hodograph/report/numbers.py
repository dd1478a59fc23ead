"""Write numbers as a reader wants them: enough digits, never more than they carry."""

import math

DASH = "–"
_ROUNDING = 1e-10  # per cent: float64 noise of a share that is exactly 0 or 1
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def missing(value: float | None) -> bool:
    """Say whether there is no number: None or NaN."""
    return value is None or value != value


def significant(value: float, digits: int = 3) -> str:
    """Write a number with so many significant digits; a power of ten where it is far from 1.

    >>> significant(0.01234), significant(-2.5e-7), significant(1234.5)
    ('0.0123', '−2.50×10⁻⁷', '1234')
    """
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else str(value)
    mantissa, exponent = f"{abs(value):.{digits - 1}e}".split("e")
    power, sign = int(exponent), "−" if value < 0 else ""
    if -4 <= power < 5:
        return f"{sign}{abs(value):.{max(0, digits - 1 - power)}f}"
    return f"{sign}{mantissa}×10{str(power).translate(_SUPERSCRIPTS)}"


def percent(share: float) -> str:
    """Write a share as a percentage without its sign, never rounded to a 0 or 100 it is not.

    >>> percent(0.516), percent(0.99972), percent(1.0), percent(0.00012), percent(1 - 1e-8)
    ('51.6', '99.9720', '100', '0.0120', '> 99.9999')
    """
    value = 100 * share
    below, above = abs(value), abs(100 - value)
    if min(below, above) < _ROUNDING:
        return f"{value:.0f}"
    if below < 1e-3:
        return significant(value)
    if above < 1e-4:
        return "> 99.9999" if value < 100 else f"{value:.6f}"
    decimals = max(1, 2 - math.floor(math.log10(min(below, above))))
    return f"{value:.{decimals}f}".replace("-", "−")


def accuracy(share: float) -> str:
    """Write an accuracy in per cent to one decimal, and further only to tell it from 0 or 100."""
    text = f"{100 * share:.1f}"
    return percent(share) if text in ("0.0", "100.0") else text


def count(value: int) -> str:
    """Write an integer with thin spaces between thousands."""
    return f"{value:,}".replace(",", "\u202f")


def bare(value: float | None, unit: str) -> str:
    """Write a value without its unit, shares as percentages; a dash where it is missing."""
    if value is None or missing(value):
        return DASH
    return percent(value) if unit == "share" else significant(value)


def quantity(value: float | None, unit: str) -> str:
    """Write a value like `bare`, with a per cent sign after a share."""
    text = bare(value, unit)
    return f"{text} %" if unit == "share" and text != DASH else text
