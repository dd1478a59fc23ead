"""Where visible updates land, against how many there are: overlaps beside what storage gives."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pandas as pd

from hodograph.orderings.metrics import stored
from hodograph.report import comparison_figures as figures
from hodograph.report.names import null_of
from hodograph.report.read import Measurement
from hodograph.report.style import draw, looks
from hodograph.report.trajectories import Arms
from hodograph.report.views import Figure, Panel

_WIDTH, _HEIGHT, _ALPHA = 420, 265, 0.3
_MASKS = {
    "overlap_low_30": "with low-magnitude weights",
    "overlap_principal_30": "with principal weights",
}


def overlaps_figure(arms: Arms, ident: str) -> Figure | None:
    """Return a panel for each mask; a point a checkpoint, mean over matrices and seeds."""
    panels = []
    for metric, title in _MASKS.items():
        parts = [landing(runs, metric).assign(arm=name) for name, runs in arms.items()]
        table = pd.concat(parts, ignore_index=True)
        if len(table):
            plot = partial(figures.overlap_against_density, table, looks=looks(arms), chance=_ALPHA)
            svg = draw(plot, name=f"{ident}{metric}", width=_WIDTH, height=_HEIGHT,
                       label=f"Overlap {title} against density, one line an arm")  # fmt: skip
            panels.append(Panel(svg, _WIDTH, title, "%"))
    if not panels:
        return None
    caption = (
        "Each mark is a checkpoint; α = .3, mean over matrices and seeds. Dotted: the same update "
        "permuted within its matrix, so with its sizes and its density and no structure. Marks on "
        "their dotted line land where storage alone would show them."
    )
    return Figure("Overlap of visible updates with two masks, against density", caption, panels)


def landing(runs: Sequence[Measurement], metric: str) -> pd.DataFrame:
    """Return step, density, overlap and null of each checkpoint, means over matrices and seeds.

    Only matrices with a value count, and checkpoints that every seed has.
    """
    parts = [_of_run(run, metric) for run in runs]
    joined = pd.concat(parts).groupby("step")
    whole = joined.filter(lambda rows: len(rows) == len(runs)) if len(runs) > 1 else parts[0]
    return whole.groupby("step", as_index=False).mean()


def _of_run(run: Measurement, metric: str) -> pd.DataFrame:
    rows = run.table[run.table["storage"] == stored(run.table)]
    rows = rows[rows[metric].notna()]
    columns = {"density": "density", "overlap": metric, "null": null_of(metric)}
    table = pd.DataFrame({name: rows[column].astype(float) for name, column in columns.items()})
    return table.assign(step=rows["step"]).groupby("step", as_index=False).mean()
