"""Sentences to quote, each made from the numbers it states: of a study, and of its questions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import pandas as pd

from hodograph.orderings.metrics import stored
from hodograph.orderings.ordering import Ordering
from hodograph.orderings.words import written
from hodograph.report.ledger import Claim, counted
from hodograph.report.questions import Asked, Compared
from hodograph.report.values import ACCURACY, last_values

ByOrigin = Mapping[str, Sequence[Ordering]]
"""The orderings of a comparison's arms, by the W0 they start from."""


def lead(ordered: Mapping[str, ByOrigin], found: Sequence[Claim]) -> list[str]:
    """Say how many claims have each verdict, and how many differences between arms."""
    said = [counted(found)] if found else ["The study declares no claims."]
    words = [
        pair.word
        for groups in ordered.values()
        for orderings in groups.values()
        for one in orderings
        for pair in one.pairs
    ]
    if words:
        said.append(f"Of {len(words)} differences between arms next to each other in some metric: "
                    f"{_counts(words)}.")  # fmt: skip
    return said


def sentences(question: Asked, ordered: Mapping[str, ByOrigin]) -> list[list[str]]:
    """Say of each comparison how its arms end, are ordered and lock; empty lists left out."""
    found = [_of_comparison(one, question, ordered.get(one.ident, {}))
             for one in question.comparisons]  # fmt: skip
    return [said for said in found if said]


def _of_comparison(one: Compared, question: Asked, ordered: ByOrigin) -> list[str]:
    said = [_accuracies(one)] if "accuracy" in question.values else []
    metric = next((name for name in question.values if name != "accuracy"), None)
    for orderings in ordered.values():
        said += [_ordering(found) for found in orderings if found.metric.column == metric]
    if "lock" in one.shows:
        said.append(_locks(one))
    start = f"{one.title}: " if one.title else ""
    return [start + sentence for sentence in said if sentence]


def _ordering(found: Ordering) -> str:
    words = [pair.word for pair in found.pairs]
    return f"{found.sentence} Differences: {_counts(words)}." if words else found.sentence


def _accuracies(one: Compared) -> str:
    table = last_values([one], ACCURACY)
    ends = [f"{arm} {_percent(runs['value'])}" for arm, runs in table.groupby("arm", sort=False)]
    starts = table["null"].dropna()
    if not ends:
        return ""
    start = f", from {_percent(starts)} at the start" if len(starts) else ""
    seeds = _seeds(table.groupby("arm")["seed"].nunique().tolist())
    between = ", range in brackets" if table["seed"].nunique() > 1 else ""
    return f"accuracy {', '.join(ends)}{start} ({seeds}{between})."


def _percent(values: pd.Series) -> str:
    mean, low, high = (
        written(float(value), 100) for value in (values.mean(), values.min(), values.max())
    )
    return f"{mean} %" if low == high else f"{mean} % ({low} to {high})"


def _locks(one: Compared) -> str:
    verdicts = {}
    for arm, runs in one.measured.items():
        words = [lock.verdict for run in runs
                 if (lock := run.summary.lock.get(stored(run.table))) is not None]  # fmt: skip
        verdicts[arm] = _counts(words) if len(set(words)) > 1 else next(iter(words), "")
    said = [f"{arm} {words}" for arm, words in verdicts.items() if words]
    seeds = [len(runs) for runs in one.measured.values()]
    return f"lock: {'; '.join(said)} ({_seeds(seeds)})." if said else ""


def _counts(words: Sequence[str]) -> str:
    return ", ".join(f"{count} {word}" for word, count in Counter(words).most_common())


def _seeds(counts: Sequence[int]) -> str:
    """How many seeds each arm has."""
    low, high = min(counts), max(counts)
    if low < high:
        return f"{low} to {high} seeds an arm"
    return "one seed" if high == 1 else f"{high} seeds"
