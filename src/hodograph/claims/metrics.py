"""Which metrics a claim may be about, and the columns that stand beside each as its null."""

from typing import Annotated

from pydantic import AfterValidator

from hodograph.orderings.metrics import COLUMNS as ORDERED_COLUMNS
from hodograph.orderings.metrics import ORDERED, Ordered
from hodograph.tables.columns import BY_NAME

SIM = Ordered(
    "sim16_end", "Sim₁₆ to the end (attention)", "spectral", 100, " %", " points", attention=True
)
DISJOINT = Ordered(
    "sim16_disjoint",
    "Sim₁₆ to the rest (attention)",
    "spectral",
    100,
    " %",
    " points",
    attention=True,
)
BY_INPUTS = Ordered(
    "sim16_input_null",
    "Sim₁₆ of random updates, same inputs",
    "spectral",
    100,
    " %",
    " points",
    attention=True,
)
CHANCE = Ordered(
    "sim16_chance", "chance of Sim₁₆", "spectral", 100, " %", " points", attention=True
)
METRICS = {
    one.column: one
    for one in (
        *ORDERED,
        Ordered("update_norm", "update norm (attention)", "size", attention=True),
        SIM,
        DISJOINT,
    )
}


def _known(name: str) -> str:
    if name not in METRICS:
        raise ValueError(f"{name!r} is none of the metrics of claims: {', '.join(METRICS)}")
    return name


MetricName = Annotated[str, AfterValidator(_known)]


def null_of(metric: str) -> str | None:
    """The column of what a metric is where there is nothing to find; None where it has none."""
    names = (f"{metric}_null", f"{metric}_isotropic", f"{metric.removesuffix('_end')}_chance")
    return next((name for name in (*names, f"{metric}_chance") if name in BY_NAME), None)


def null_words(metric: Ordered) -> str:
    """What the null of a metric is of."""
    if metric.kind == "visible":
        return "permuted update"
    return "chance" if (null_of(metric.column) or "").endswith("_chance") else "isotropic update"


NULLS = tuple(null for name in METRICS if (null := null_of(name)) is not None)
COLUMNS = tuple(dict.fromkeys((*ORDERED_COLUMNS, *METRICS, *NULLS, BY_INPUTS.column)))
"""Columns of `matrices` that claims are judged by."""
