"""Measuring the gates of a run from end to end: a run folder in, a table and a summary out."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from hodograph.checkpoints import open_checkpoint
from hodograph.gates.anchor import anchor_rows
from hodograph.gates.checkpoint import checkpoint_rows
from hodograph.gates.models import require_shared_vocabulary
from hodograph.gates.run import GatedRun, Work, open_run
from hodograph.gates.settings import GatesSettings
from hodograph.matrices.pairing import Skipped, pair
from hodograph.measurement import fingerprint_of, place_of, versions
from hodograph.processes import one_thread
from hodograph.tables.gates import GATE_COLUMNS, GATES
from hodograph.tables.gates_summary import summarise_gates
from hodograph.tables.store import MeasurementFolder, MemoryParts, held, table_of, to_frame

Row = dict[str, Any]
Parts = MeasurementFolder | MemoryParts
Progress = Callable[[int, int, str], None]
OF_STEP, OF_ANCHOR = 4, 2  # stages of a checkpoint, and of W0 beside one a checkpoint
LEAST_SAMPLES = 30


@dataclass(frozen=True)
class Gates:
    """What was found.

    Attributes:
        table: one row a matrix and checkpoint; the columns are those of hodograph.tables.gates.
        summary: the contents of gates.json (docs/formats.md).
    """

    table: pd.DataFrame
    summary: dict[str, Any]


def measure_gates(
    run: str | Path,
    *,
    out: str | Path | None = None,
    teacher: str | Path | None = None,
    settings: GatesSettings | None = None,
    on_progress: Progress = lambda done, total, name: None,
    **changed: Any,
) -> Gates:
    """Measure the three-gate account of a finished run from its checkpoints.

    Two models of the run are held at a time, the graph of one pass over some 1024 tokens, and about
    2 GiB of sums.

    Args:
        run: a run folder: recipe.json and checkpoints/ with step_0.
        out: folder for gates.parquet and gates.json; finished checkpoints are kept there, so that
            the same call goes on after an interruption and a finished one returns at once.
        teacher: a run or model folder whose log-ratio is the per-token coefficient; by default the
            recipe's own teacher. Without one, what needs it is empty.
        settings: all settings at once; or name single ones, as in `prompts=16`.
        on_progress: called with stages done, stages in all, and what is in work.
        **changed: fields of GatesSettings.

    Raises:
        CheckpointError: a checkpoint cannot be read or run, or holds NaN or infinite weights.
        PairingError: the checkpoints do not hold the same parameters.
        SettingsError: no run folder, a step without a checkpoint, another vocabulary, or a setting
            out of range.
        StorageError: results cannot be written to `out`.
    """
    settings = settings or GatesSettings(**changed)
    opened = open_run(run, settings.steps, teacher)
    if opened.teacher is not None:
        require_shared_vocabulary(opened.base, opened.teacher)
    trajectory = opened.trajectory()
    fingerprint = fingerprint_of(trajectory, _asked(opened, settings), GATES)
    folder = MeasurementFolder(Path(out), fingerprint, GATES) if out is not None else None
    with held(folder), one_thread():
        if folder is not None and (finished := folder.finished()) is not None:
            return Gates(*finished)
        parameters, skipped = pair(trajectory, "linear", "error")
        work = Work(opened, trajectory, parameters, settings)
        rows = _rows(work, folder or MemoryParts(), on_progress)
        table = table_of(rows, GATE_COLUMNS)
        per_step = summarise_gates(to_frame(table), settings.seed)
        summary = _summary(work, rows, skipped, per_step) | {"fingerprint": fingerprint}
        if folder is not None:
            folder.finish(table, summary)
        return Gates(to_frame(table), summary)


def _asked(run: GatedRun, settings: GatesSettings) -> dict[str, Any]:
    """What must be equal for the numbers to be the same, besides the checkpoints."""
    teacher = None if run.teacher is None else open_checkpoint(run.teacher).digest()
    return settings.printed() | {"recipe": run.recipe.digest(), "teacher": teacher}


def _rows(work: Work, parts: Parts, on_progress: Progress) -> list[Row]:
    """Rows of W0's side and of every checkpoint, each from the folder where it is kept."""
    steps = work.run.steps
    total = OF_ANCHOR + len(steps) * (1 + OF_STEP)
    done = OF_ANCHOR + len(steps)
    rows = _kept(parts, "anchor", lambda: anchor_rows(work, _Stages(on_progress, 0, total).next))
    for step in steps:
        stages = _Stages(on_progress, done, total)
        found = _kept(parts, f"step {step}", partial(checkpoint_rows, work, step, stages.next))
        rows, done = _joined(rows, found), done + OF_STEP
        on_progress(done, total, "")
    return rows


def _summary(
    work: Work, rows: list[Row], skipped: list[Skipped], per_step: list[Row]
) -> dict[str, Any]:
    run, trajectory, settings = work.run, work.trajectory, work.settings
    return {
        "gates": per_step[-1],
        "steps": per_step,
        "run": run.described(),
        "base": place_of(trajectory.base) | {"digest": trajectory.base.digest()},
        "settings": settings.printed() | {"steps": list(run.steps)},
        "samples": _samples(rows),
        "skipped": [asdict(one) for one in skipped] + _without(rows),
        "warnings": _warnings(rows, run),
        "versions": versions(),
    }


def _kept(parts: Parts, name: str, work: Callable[[], list[Row]]) -> list[Row]:
    """Rows of a unit, from the folder where it was finished before."""
    found = parts.load(name)
    if found is None:
        found = work()
        parts.store(name, found)
    return found


def _joined(rows: list[Row], found: list[Row]) -> list[Row]:
    """Rows of one matrix and step from both units, as one."""
    of_key = {_key(row): {k: v for k, v in row.items() if v is not None} for row in found}
    return [row | of_key.get(_key(row), {}) for row in rows]


def _key(row: Row) -> tuple[str, str, int]:
    return row["parameter"], row["module"], row["step"]


@dataclass
class _Stages:
    """Counts the stages of one unit."""

    on_progress: Progress
    done: int
    total: int

    def next(self, name: str) -> None:
        """One more stage has ended."""
        self.done += 1
        self.on_progress(self.done, self.total, name)


def _samples(rows: list[Row]) -> list[Row]:
    """How many samples each checkpoint gave, and how they were rewarded."""
    names = ("step", "prompts", "samples", "tokens", "signal_shared", "reward")
    first = {row["step"]: row for row in reversed(rows)}
    return [{name: first[step].get(name) for name in names} for step in sorted(first)]


def _without(rows: list[Row]) -> list[Row]:
    """Parameters whose curvatures and gradients are empty, and why."""
    reasons = {row["parameter"]: row["reason"] for row in rows if row.get("reason")}
    return [{"parameter": name, "reason": reason} for name, reason in reasons.items()]


def _warnings(rows: list[Row], run: GatedRun) -> list[str]:
    """What a reader must know before believing a number."""
    found = []
    if run.teacher is None:
        found.append("No teacher is known, so there are no per-token coefficients (--teacher).")
    for one in _samples(rows):
        signal, samples = one["signal_shared"], one["samples"]
        if signal is None:
            found.append("The task has no verifier, so there are no shared coefficients.")
            break
        if signal * samples < LEAST_SAMPLES:
            found.append(
                f"Step {one['step']}: {signal * samples:.0f} of {samples} samples have a reward"
                " that differs within its group; effective ranks of shared coefficients are of"
                " these few."
            )
    return found
