"""Answers that are numbers or formulas, judged by math-verify."""

import re
from functools import lru_cache
from typing import Any

from math_verify import parse, verify

# Words, 3e2 and 1 000: as a formula, math-verify would take them for products.
NOT_MATHS = re.compile(r"(?<![\\a-zA-Z])[a-zA-Z]{2,}|\d[eE]|\d\s+\d")
THINKING, THOUGHT = "<think>", "</think>"


@lru_cache(maxsize=1 << 14)
def reading(answer: str) -> Any:
    """Return what math-verify reads in a final answer; None where it is no number or formula."""
    if in_words(answer):
        return None
    found = parse(answer if _delimited(answer) else f"${answer}$")
    return None if all(isinstance(part, str) for part in found) else found


def agreement(key: Any, text: str) -> float:
    r"""Return 1 if a completion gives the answer that `reading` read, else 0.

    math-verify takes \boxed{} first, else the formula or number that is named as the answer, else
    the last one.
    """
    return float(verify(key, parse(concluded(text))))


def concluded(text: str) -> str:
    """Return what a completion says after its thinking: nothing, where that did not end."""
    _, closed, said = text.rpartition(THOUGHT)
    return said if closed else text.partition(THINKING)[0]


def in_words(answer: str) -> bool:
    """Whether a final answer holds words, or numbers in a form that math-verify misreads."""
    return bool(NOT_MATHS.search(answer)) and not _delimited(answer)


def _delimited(answer: str) -> bool:
    """Whether an answer says itself where its formula is; others are taken as one whole."""
    return "$" in answer or "\\boxed" in answer
