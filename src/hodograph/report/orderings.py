"""Orderings of a study on its page: tables of pairs, and sentences to quote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hodograph.orderings.metrics import Ordered
from hodograph.orderings.ordering import Ordering, orderings_of
from hodograph.orderings.pair import Allowance, Pair
from hodograph.orderings.words import (
    allowance_verdict,
    bounds_of,
    seeds_verdict,
    thresholds_sentence,
    written,
)
from hodograph.report.origins import Origin
from hodograph.report.views import Body, Cell, Head, Table, absent
from hodograph.statistics.paired import Interval


@dataclass(frozen=True)
class OrderingsView:
    """What the page shows of the arms of one W0.

    Attributes:
        table: a body for each metric, a row for each adjacent pair.
        sentences: for each metric its order, and what is said of its pairs.
    """

    table: Table
    sentences: list[tuple[str, list[str]]]


def orderings_by_origin(groups: Sequence[Origin], title: str = "") -> dict[str, list[Ordering]]:
    """Order the measured arms of each W0; groups of fewer than two are left out."""
    measured = {
        titled(title, group.label): {
            arm.name: {seed: one.table for seed, one in arm.measurements.items()}
            for arm in group.arms
            if arm.measurements
        }
        for group in groups
    }
    return {label: orderings_of(arms) for label, arms in measured.items() if len(arms) > 1}


def titled(title: str, label: str) -> str:
    """Put what arms are compared for before what they start from."""
    return f"{title}. {label}" if title else label


def orderings_views(found: dict[str, list[Ordering]], ident: str) -> list[OrderingsView]:
    """Return a table and sentences for each W0; names of the tables start with `ident`."""
    return [
        OrderingsView(
            _table(label, orderings, name), [(one.sentence, one.sentences) for one in orderings]
        )
        for (label, orderings), name in zip(found.items(), _names(ident, len(found)), strict=True)
    ]


def _names(ident: str, count: int) -> list[str]:
    name = f"{ident}orderings"
    return [name] if count == 1 else [f"{name}-{place + 1}" for place in range(count)]


def judged(found: dict[str, list[Ordering]]) -> str:
    """Say what the verdicts rest on, and how many there are."""
    pairs = sum(len(one.pairs) for orderings in found.values() for one in orderings)
    return thresholds_sentence(pairs)


def _table(label: str, orderings: Sequence[Ordering], name: str) -> Table:
    heads = [
        Head("pair", "higher − lower", words=True),
        Head("verdict", words=True),
        Head("difference", "95 % over seeds"),
        Head("at equal relative norm", "what displacement accounts for"),
        Head("beyond storage", "what storage accounts for"),
        Head("seen in bfloat16", "95 % over seeds"),
    ]
    bodies = [
        Body([_row(one.metric, pair) for pair in one.pairs], one.sentence) for one in orderings
    ]
    return Table(f"What accounts for each ordering. {label}", heads, bodies, name)


def _row(metric: Ordered, pair: Pair) -> list[Cell]:
    norm = None if pair.norm is None else f"norm {written(pair.norm, 100)} %"
    return [
        Cell(f"{pair.higher} − {pair.lower}", header=True, words=True),
        Cell(pair.word, below=(pair.why,) if pair.why else (), words=True),
        _cell(metric, pair.difference, seeds_verdict(pair), _layers(pair)),
        _left(metric, pair, pair.displacement, norm),
        _left(metric, pair, pair.storage, None),
        _cell(metric, pair.in_bfloat16) if pair.in_bfloat16 else _no_bfloat16(metric),
    ]


def _cell(metric: Ordered, found: Interval, *below: str | None) -> Cell:
    bounds = [] if (ends := bounds_of(found, metric)) is None else [ends]
    text = f"{written(found.mean, metric.scale)}{metric.points}"
    return Cell(text, below=(*bounds, *(line for line in below if line)))


def _left(metric: Ordered, pair: Pair, found: Allowance, more: str | None) -> Cell:
    if found.remainder is None:
        return absent(found.how)
    if metric.kind != "visible" and found is pair.storage:
        return Cell("all", below=(found.how,))
    return _cell(metric, found.remainder, more, allowance_verdict(pair, found))


def _layers(pair: Pair) -> str | None:
    if pair.layers is None or pair.layers.p is None:
        return None
    return f"over layers p = {pair.layers.p:.2g} (least {pair.layers.least_p:.2g})"


def _no_bfloat16(metric: Ordered) -> Cell:
    if metric.kind == "visible":
        return absent("defined on bfloat16 values, so one number for every storage")
    return absent("not measured as bfloat16 shows it, or not judged there")
