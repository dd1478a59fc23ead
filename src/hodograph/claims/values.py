"""Metrics of arms by seed, and what stands beside them: their null and a control."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

import numpy as np
import pandas as pd

from hodograph.claims.evidence import AbsentError, Evidence
from hodograph.claims.finding import number, over_seeds
from hodograph.claims.metrics import null_of, null_words
from hodograph.claims.row import Number
from hodograph.claims.steps import Step, until
from hodograph.claims.text import value
from hodograph.orderings.metrics import Ordered, Seen, seen, stored, trajectory
from hodograph.statistics.paired import Interval

_Value = TypeVar("_Value")


def seen_by_seed(evidence: Evidence, arm: str, metric: Ordered, step: Step) -> dict[int, Seen]:
    """A metric of an arm with its curve and nulls, by seed.

    Raises:
        AbsentError: no seed has a value.
    """
    both = ((s, seen(until(t, step), metric)) for s, t in evidence.tables(arm).items())
    return _present({seed: one for seed, one in both if one is not None}, arm, metric)


def at_step(evidence: Evidence, arm: str, metric: Ordered, step: Step) -> dict[int, float]:
    """A metric of an arm as stored, by seed.

    Raises:
        AbsentError: no seed has a value.
    """
    return {seed: one.value for seed, one in seen_by_seed(evidence, arm, metric, step).items()}


def paths(
    evidence: Evidence, arm: str, metric: Ordered, step: Step = "last", storage: str | None = None
) -> dict[int, pd.Series]:
    """A metric along the trajectory of an arm up to a step, by seed.

    Args:
        evidence: of the study.
        arm: its name.
        metric: which.
        step: the last that counts.
        storage: as which the update is seen; as stored by default.

    Raises:
        AbsentError: no seed has a value.
    """
    found = {}
    for seed, table in evidence.tables(arm).items():
        shown = until(table, step)
        path = trajectory(shown, metric, storage or stored(shown))
        if len(path):
            found[seed] = path
    return _present(found, arm, metric)


def beside(
    evidence: Evidence, arms: tuple[str, ...], metric: Ordered, step: Step, control: str | None
) -> tuple[str, tuple[Number, ...]]:
    """What stands beside the values of arms: the metric's null of each, and a control's value.

    Returns:
        In words, and as numbers.
    """
    said, found = list[str](), list[Number]()
    if (column := null_of(metric.column)) is not None:
        nulls = _means(evidence, arms, replace(metric, column=column), step)
        what = null_words(metric)
        said += [f"{what}: {_listed(nulls, metric)}"] if nulls else []
        found += [number(f"{what}, {arm}", one) for arm, one in nulls.items()]
    if control is not None:
        values = _means(evidence, (control,), metric, step)
        said.append(_listed(values, metric) or f"{control} is missing")
        found += [number(control, one) for one in values.values()]
    return ", ".join(said) or "none: it has no null, and no control is declared", tuple(found)


def _listed(values: Mapping[str, Interval], metric: Ordered) -> str:
    return ", ".join(f"{arm} {value(one.mean, metric)}" for arm, one in values.items())


def _means(
    evidence: Evidence, arms: tuple[str, ...], metric: Ordered, step: Step
) -> dict[str, Interval]:
    found = {}
    for arm in arms:
        with suppress(AbsentError):
            values = paths(evidence, arm, metric, step).values()
            found[arm] = over_seeds([float(path.iloc[-1]) for path in values])
    return found


def mean(values: Mapping[int, float]) -> float:
    """Over seeds."""
    return float(np.mean(list(values.values())))


def _present(found: dict[int, _Value], arm: str, metric: Ordered) -> dict[int, _Value]:
    if not found:
        raise AbsentError(f"{arm} has no value of {metric.column}")
    return found
