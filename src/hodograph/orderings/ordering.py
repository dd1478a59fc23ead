"""The arms of one W0 in order of each metric, every adjacent pair judged."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from hodograph.orderings.metrics import ORDERED, Ordered, Seen, seen
from hodograph.orderings.pair import Pair, pair_of
from hodograph.orderings.words import ordering_sentence, pair_sentence
from hodograph.statistics.verdict import THRESHOLDS

Tables = Mapping[int, pd.DataFrame]


@dataclass(frozen=True)
class Ordering:
    """Arms from one W0 in ascending order of one metric.

    Attributes:
        metric: what they are ordered by.
        arms: name and mean over seeds, ascending.
        seeds: seeds that all arms share.
        pairs: adjacent arms.
    """

    metric: Ordered
    arms: tuple[tuple[str, float], ...]
    seeds: tuple[int, ...]
    pairs: tuple[Pair, ...]

    @property
    def sentence(self) -> str:
        """The order with its numbers."""
        return ordering_sentence(self.metric, self.arms, len(self.seeds))

    @property
    def sentences(self) -> list[str]:
        """What may be said of each adjacent pair."""
        return [pair_sentence(self.metric, pair) for pair in self.pairs]

    def record(self) -> dict[str, Any]:
        """Everything, for `orderings.json`; values in the units of `hodograph columns`."""
        said = zip(self.pairs, self.sentences, strict=True)
        return {
            "metric": self.metric.column,
            "seeds": list(self.seeds),
            "arms": [{"name": name, "mean": value} for name, value in self.arms],
            "sentence": self.sentence,
            "pairs": [asdict(pair) | {"sentence": sentence} for pair, sentence in said],
        }


def orderings_of(arms: Mapping[str, Tables]) -> list[Ordering]:
    """Order arms that start from one W0, in every metric that at least two of them have.

    Arms are ordered by their mean over the seeds that all of them share; where no seed is shared
    by all, by the mean over each arm's own. A pair is judged on the seeds that the two share.

    Args:
        arms: for each arm the `matrices` table of each seed.
    """
    common = set.intersection(*(set(tables) for tables in arms.values())) if arms else set()
    found = [_ordering(arms, metric, common) for metric in ORDERED]
    return [one for one in found if one is not None]


def record(groups: Mapping[str, list[Ordering]]) -> dict[str, Any]:
    """The content of `orderings.json`: thresholds, and the orderings of each W0."""
    return {
        "thresholds": asdict(THRESHOLDS),
        "origins": [
            {"origin": label, "orderings": [one.record() for one in orderings]}
            for label, orderings in groups.items()
        ],
    }


def _ordering(arms: Mapping[str, Tables], metric: Ordered, common: set[int]) -> Ordering | None:
    found = {name: _seen(tables, metric) for name, tables in arms.items()}
    means = {name: _mean(seeds, common) for name, seeds in found.items() if seeds}
    if len(means) < 2:
        return None
    ranked = sorted(means.items(), key=lambda arm: arm[1])
    pairs = [
        pair_of(metric, (low, found[low]), (high, found[high]))
        for (low, _), (high, _) in pairwise(ranked)
    ]
    judged = tuple(pair for pair in pairs if pair is not None)
    return Ordering(metric, tuple(ranked), tuple(sorted(common)), judged)


def _seen(tables: Tables, metric: Ordered) -> dict[int, Seen]:
    both = ((seed, seen(table, metric)) for seed, table in tables.items())
    return {seed: one for seed, one in both if one is not None}


def _mean(seeds: Mapping[int, Seen], common: set[int]) -> float:
    """Mean over the seeds that all arms share, or else over its own."""
    chosen = [one.value for seed, one in seeds.items() if seed in common]
    return float(np.mean(chosen or [one.value for one in seeds.values()]))
