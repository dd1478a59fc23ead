"""The page of one measurement: one run, all its checkpoints."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd

from hodograph.report.checkpoint_figures import checkpoint_figures
from hodograph.report.factored import factored_line
from hodograph.report.glossary import definition
from hodograph.report.landscapes import heat_map_figures
from hodograph.report.lock import lock_table
from hodograph.report.made import measurement_made
from hodograph.report.missing import why_missing
from hodograph.report.names import (
    HEAT_MAPS,
    NULL_FOLLOWS_SIZE,
    TITLES,
    TRAJECTORIES,
    null_of,
    strata_of,
)
from hodograph.report.numbers import bare, count
from hodograph.report.read import Checkpoint, Inputs, Measurement, Statistic
from hodograph.report.series import doubt
from hodograph.report.trajectories import (
    Arms,
    seen_in,
    trajectory_figures,
)
from hodograph.report.views import Body, Cell, Head, Table, absent
from hodograph.statistics.verdict import share_of_null
from hodograph.tables.columns import BY_NAME

_FAMILIES = {
    "visibility": "Visibility in bfloat16",
    "size": "Size",
    "path": "Path",
    "rotation": "Rotation of the principal subspaces",
    "shift": "Shift of the spectrum",
    "landing": "Where visible changes land",
    "energy": "Energy in W0's principal subspaces",
    "spectrum": "Spectrum of the update",
    "lock": "Lock",
    "inputs": "Inputs of the layers",
}


def measurement_view(measurement: Measurement) -> dict[str, Any]:
    """Return everything the measurement template shows."""
    arms: Arms = {"": [measurement]}
    summary, steps = measurement.summary, measurement.steps
    return {
        "measurement": measurement,
        "summary": summary,
        "made": measurement_made(summary),
        "steps": steps,
        "last": measurement.checkpoint(measurement.storages[0], steps[-1]).path,
        "counts": {"matrices": count(summary.matrices), "parameters": count(summary.parameters)},
        "latest": [summary_table(measurement, s, steps[-1]) for s in measurement.storages],
        "earlier": [
            summary_table(measurement, storage, step)
            for step in reversed(steps[:-1])
            for storage in measurement.storages
        ],
        "factored": factored_line(summary.factored),
        "lock": lock_table(measurement) if len(steps) > 1 else None,
        "trajectories": trajectory_figures(arms) if len(steps) > 1 else [],
        "landscapes": heat_map_figures(arms),
        "checkpoint_figures": checkpoint_figures(measurement),
        "flags": flags_table(measurement),
        "without_value": without_value(measurement),
        "skipped": [(skipped.parameter, skipped.reason) for skipped in summary.skipped],
        "weights": [
            ("W0", summary.base.path),
            ("digest of W0", summary.base.digest),
            *_shown_inputs(summary.inputs),
            *((f"step {one.step}, {one.storage}", one.path) for one in summary.checkpoints),
            ("hodograph", summary.hodograph),
        ],
    }


def _shown_inputs(inputs: Inputs | None) -> list[tuple[str, str]]:
    if inputs is None:
        return []
    cut = f", {count(inputs.cut)} of them cut" if inputs.cut else ""
    tokens = f"{count(inputs.texts)} texts{cut}, {count(inputs.tokens)} tokens"
    return [("inputs from", f"{inputs.source} ({inputs.kind}: {tokens}; {inputs.draws} draws)")]


def summary_table(measurement: Measurement, storage: str, step: int) -> Table:
    """Return the metrics of one checkpoint in one storage: mean, median, interval and null."""
    checkpoint, rows = measurement.checkpoint(storage, step), measurement.rows(storage, step)
    bodies = [
        Body(
            [_metric_row(checkpoint, metric, rows) for metric in TITLES if _in(metric, family)],
            label,
        )
        for family, label in _FAMILIES.items()
        if family != "inputs" or measurement.summary.inputs is not None
    ]
    heads = [
        Head("quantity", words=True),
        Head("unit", words=True),
        Head("mean"),
        Head("95 % interval", "over layers"),
        Head("median"),
        Head("null", "mean"),
        Head("weighted", "by parameters"),
        Head("matrices"),
    ]
    caption = f"Step {step}, {seen_in(storage)}, {count(checkpoint.matrices)} matrices"
    return Table(caption, heads, bodies, f"step-{step}-{storage}")


def _in(metric: str, family: str) -> bool:
    return BY_NAME[metric].family == family


def _metric_row(checkpoint: Checkpoint, metric: str, rows: pd.DataFrame) -> list[Cell]:
    statistic, unit = checkpoint.statistic(metric), BY_NAME[metric].unit
    flag = doubt(rows, metric)
    name, measure = (
        Cell(TITLES[metric], title=definition(metric), header=True),
        Cell(_unit(unit), words=True),
    )
    if statistic.n == 0 or statistic.mean is None:
        return [name, measure, *[absent(why_missing(metric, rows))] * 5, Cell("0")]
    return [
        name,
        measure,
        Cell(bare(statistic.mean, unit), flag=flag),
        _interval(statistic, unit),
        Cell(bare(statistic.median, unit), flag=flag),
        _null_cell(checkpoint, metric, rows),
        _weighted(statistic, unit),
        Cell(count(statistic.n)),
    ]


def _unit(unit: str) -> str:
    return {"share": "%", "ratio": "", "cosine": ""}.get(unit, unit)


def _interval(statistic: Statistic, unit: str) -> Cell:
    if statistic.low is None or statistic.high is None:
        return absent("an interval over layers needs two layers with a value")
    return Cell(f"{bare(statistic.low, unit)} to {bare(statistic.high, unit)}")


def _weighted(statistic: Statistic, unit: str) -> Cell:
    if statistic.weighted is None:
        return absent("the definition is not weighted by parameters")
    return Cell(bare(statistic.weighted, unit))


def _null_cell(checkpoint: Checkpoint, metric: str, rows: pd.DataFrame) -> Cell:
    null = null_of(metric)
    if null is None:
        return absent("no null is defined for this quantity")
    value = checkpoint.statistic(null).mean
    below = (*_strata(checkpoint, metric), *_by_size(metric, value, checkpoint))
    if value is None:
        return replace(absent(why_missing(null, rows)), below=below)
    return Cell(bare(value, BY_NAME[null].unit), below, title=definition(null))


def _by_size(metric: str, null: float | None, checkpoint: Checkpoint) -> tuple[str, ...]:
    share = share_of_null(null, checkpoint.statistic(metric).mean)
    if metric not in NULL_FOLLOWS_SIZE or share is None:
        return ()
    return (f"{100 * share:.0f} % of the mean",)


def _strata(checkpoint: Checkpoint, metric: str) -> tuple[str, ...]:
    expected = strata_of(metric)
    value = checkpoint.statistic(expected).mean if expected else None
    return () if value is None else (f"strata {bare(value, 'share')}",)


def without_value(measurement: Measurement) -> list[str]:
    """Name the figures that are not drawn because no matrix has their value."""
    table = measurement.table
    shown = [*HEAT_MAPS, *(TRAJECTORIES if len(measurement.steps) > 1 else ())]
    return [
        f"{TITLES[metric]}: {why_missing(metric, table)}"
        for metric in dict.fromkeys(shown)
        if table[metric].isna().all()
    ]


def flags_table(measurement: Measurement) -> Table | None:
    """Return how many matrices carry each flag, by checkpoint and storage; None without flags."""
    table = measurement.table[["step", "storage", "parameter", "flags"]].explode("flags")
    table = table[table["flags"].notna()]
    if table.empty:
        return None
    rows = [
        [
            Cell(str(flag), header=True, words=True),
            Cell(str(step)),
            Cell(str(storage), words=True),
            Cell(count(len(group))),
            Cell(_listed(list(group["parameter"])), words=True),
        ]
        for (flag, step, storage), group in table.groupby(["flags", "step", "storage"], sort=True)
    ]
    heads = [
        Head("flag", words=True),
        Head("step"),
        Head("storage", words=True),
        Head("matrices"),
        Head("which", words=True),
    ]
    return Table("Flags set on matrices", heads, [Body(rows)], "flags")


def _listed(names: list[str]) -> str:
    more = f", and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
