"""Published numbers under hodograph's own definitions, bundled with their sources."""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class Anchor:
    """One published number of one run.

    Attributes:
        source: the paper.
        table: where in it.
        kind: "SFT", "OPD" or "RLVR".
        base: name of W0; its digest is not published.
        tuned: name of W1.
        metric: the column of `matrices` it is defined as.
        scope: the matrices it is over.
        value: in the column's unit.
        definition: as the source gives it.
    """

    source: str
    table: str
    kind: str
    base: str
    tuned: str
    metric: str
    scope: str
    value: float
    definition: str


@cache
def published() -> tuple[Anchor, ...]:
    """Every bundled anchor, in the order of the file."""
    text = files("hodograph.placement").joinpath("anchors.csv").read_text(encoding="utf-8")
    return tuple(_anchor(**row) for row in csv.DictReader(text.splitlines()))


def _anchor(value: str, **text: str) -> Anchor:
    return Anchor(value=float(value), **text)


def ranges(metric: str) -> dict[str, tuple[float, float]]:
    """Smallest and largest published value of each kind."""
    found: dict[str, list[float]] = {}
    for anchor in published():
        if anchor.metric == metric:
            found.setdefault(anchor.kind, []).append(anchor.value)
    return {kind: (min(values), max(values)) for kind, values in found.items()}
