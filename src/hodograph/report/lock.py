"""The lock on a page: one run's verdict with what it rests on, and an arm's in one cell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hodograph.report.numbers import percent, significant
from hodograph.report.read import Lock, Measurement
from hodograph.report.trajectories import seen_in
from hodograph.report.views import Body, Cell, Head, Table, absent

_NO_STEP = "no matrix is locked"


def lock_table(measurement: Measurement) -> Table:
    """Return the verdict of each storage: reason, share, interval, t*, band of the stable rank."""
    heads = [
        Head("seen in", words=True),
        Head("verdict", words=True),
        Head("why", words=True),
        Head("locked", "% of decided"),
        Head("95 % interval", "% of all, over layers"),
        Head("explained by inputs", "of the locked"),
        Head("median t*", "step"),
        Head("stable rank from t*", "max / min"),
    ]
    locks = measurement.summary.lock
    rows = [_row(storage, locks[storage]) for storage in measurement.storages]
    caption = "Lock: does training stay in the subspace of the early update?"
    return Table(caption, heads, [Body(rows)], "lock")


def _row(storage: str, lock: Lock) -> list[Cell]:
    return [
        Cell(seen_in(storage), header=True, words=True),
        Cell(lock.verdict, words=True),
        _reason(lock.reason),
        absent("no matrix is decided") if lock.share is None else Cell(percent(lock.share)),
        _interval(lock),
        _explained(lock),
        absent(_NO_STEP) if lock.step is None else Cell(significant(lock.step)),
        absent(_NO_STEP)
        if lock.stable_rank_band is None
        else Cell(significant(lock.stable_rank_band)),
    ]


def _reason(reason: str) -> Cell:
    first, *others = reason.split("; ")
    return Cell(first, below=tuple(others), words=True)


def _explained(lock: Lock) -> Cell:
    found = lock.inputs
    if found is None:
        return absent("inputs were not examined, or no matrix is locked")
    text = f"{found.explained} of {found.locked}"
    if found.low is None or found.high is None:
        return Cell(text)
    interval = f"{percent(found.low)} to {percent(found.high)} %"
    return Cell(text, below=(interval,), title="95 % interval of the share, over layers")


def _interval(lock: Lock) -> Cell:
    if lock.low is None or lock.high is None:
        return absent("an interval over layers needs two layers")
    title = "undetermined matrices are not locked for the lower end, and locked for the upper"
    return Cell(f"{percent(lock.low)} to {percent(lock.high)}", title=title)


def lock_cell(runs: Sequence[Measurement], storage: str) -> Cell:
    """Return an arm's verdict in one storage; where seeds differ, how many say what."""
    locks = [run.summary.lock[storage] for run in runs if storage in run.summary.lock]
    if not locks:
        return absent("no seed was measured in this storage")
    verdicts = Counter(lock.verdict for lock in locks)
    alone = len(verdicts) == 1
    text = "; ".join(name if alone else f"{name} ({n})" for name, n in verdicts.items())
    return Cell(text, title="; ".join(dict.fromkeys(lock.reason for lock in locks)), words=True)
