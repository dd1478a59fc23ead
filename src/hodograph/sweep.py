"""Sweeping from end to end: runs in, a table of metrics under other constants out."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from hodograph.checkpoints import Trajectory, open_trajectory
from hodograph.checkpoints.run_folder import is_run_folder, run_checkpoints
from hodograph.engine.local import Local
from hodograph.engine.run import Progress, run
from hodograph.engine.sweep import DEFAULTS, SweepSettings, sweep_parameter
from hodograph.errors import SettingsError
from hodograph.matrices.pairing import pair
from hodograph.measurement import fingerprint_of, versions
from hodograph.tables.store import MeasurementFolder, MemoryParts, table_of, to_frame
from hodograph.tables.sweep import SWEEP, SWEEP_COLUMNS
from hodograph.tables.sweep_summary import summarise_sweep

Ends = tuple[Path, list[Path]]


@dataclass(frozen=True)
class Sweep:
    """What a sweep found.

    Attributes:
        table: one row a run, matrix, metric and setting; columns of hodograph.tables.sweep.
        summary: means with intervals, the order of the runs under every setting, W0's digests.
    """

    table: pd.DataFrame
    summary: dict[str, Any]


def sweep(
    runs: Mapping[str, tuple[str | Path, Sequence[str | Path]]],
    *,
    out: str | Path | None = None,
    settings: SweepSettings | None = None,
    workers: int = 1,
    on_progress: Progress = lambda done, total, name: None,
    **changed: Any,
) -> Sweep:
    """Vary alpha, r, k, K and the k of the Hill estimate, one at a time, at each run's end.

    Every matrix is factored once, whatever the number of settings.

    Args:
        runs: {name: (base, [checkpoint, ...])}, checkpoints in the order of training; the first and
            the last of them are read.
        out: folder for sweep.parquet and sweep.json; finished matrices are kept there.
        settings: all settings at once; or name single ones, as in `alphas=(0.2, 0.4)`.
        workers: processes, one thread each.
        on_progress: called with entries done, entries in all, and the parameter in work.
        **changed: fields of SweepSettings.

    Raises:
        CheckpointError: a checkpoint cannot be read, or holds NaN or infinite weights.
        PairingError: the checkpoints of a run do not hold the same parameters.
        SettingsError: no run, `runs` of another form, or a setting is out of range.
        StorageError: results cannot be written to `out`.
    """
    settings = settings or SweepSettings(**changed)
    _require_pairs(runs)
    if workers < 1 or not runs:
        raise SettingsError(f"{len(runs)} runs, {workers} workers; at least one of each is needed.")
    opened = {name: _ends(base, tuned) for name, (base, tuned) in runs.items()}
    prints = {
        name: fingerprint_of(trajectory, settings.printed(), SWEEP)
        for name, trajectory in opened.items()
    }
    joined = hashlib.sha256(repr(sorted(prints.items())).encode()).hexdigest()
    whole = MeasurementFolder(out, joined, SWEEP) if out is not None else None
    if whole is not None and (finished := whole.finished()) is not None:
        return Sweep(*finished)
    rows, folders = [], []
    for name, trajectory in opened.items():
        folder = MeasurementFolder(out, prints[name], SWEEP) if out is not None else None
        parameters, _ = pair(trajectory, settings.scope, settings.unpaired)
        work = partial(sweep_parameter, trajectory=trajectory, settings=settings)
        parts = folder or MemoryParts()
        said = partial(_named, on_progress, name)
        found = run(parameters, work, settings.accepts, parts, said, Local(workers))
        rows += [row | {"run": name} for row in found]
        folders += [folder] if folder else []
    table = table_of(rows, SWEEP_COLUMNS)
    frame = to_frame(table)
    summary = _head(opened, settings) | summarise_sweep(frame, _digests(opened), settings.seed)
    if whole is not None:
        whole.finish(table, summary | {"fingerprint": joined})
        for folder in folders:
            folder.drop_parts()
    return Sweep(frame, summary)


def _require_pairs(runs: object) -> None:
    if not isinstance(runs, Mapping):
        wrong = f"runs is a {type(runs).__name__}, no mapping."
    else:
        bad = [name for name, ends in runs.items() if not _is_pair(ends)]
        if not bad:
            return
        wrong = f"runs[{bad[0]!r}] is no pair of a base and a list of later checkpoints."
    raise SettingsError(f'{wrong}\n  Write {{"opd": ("step_0", ["step_50", "step_100"])}}.')


def _is_pair(ends: object) -> bool:
    if not isinstance(ends, tuple | list) or len(ends) != 2:
        return False
    later = ends[1]
    return isinstance(later, Sequence) and not isinstance(later, str) and len(later) > 0


def _named(on_progress: Progress, run_name: str, done: int, total: int, name: str) -> None:
    on_progress(done, total, f"{run_name} {name}".strip())


def named_runs(paths: Sequence[Path]) -> dict[str, Ends]:
    """What the command line names: run folders, or a base and its later checkpoints.

    Raises:
        SettingsError: neither, or two run folders of one name and parent name.
        CheckpointError: a run folder without a checkpoint after step 0.
    """
    if not any(is_run_folder(path) for path in paths):
        if len(paths) < 2:
            raise SettingsError(
                "sweep needs a run folder, or a base and at least one later checkpoint."
            )
        return {paths[-1].name: (paths[0], list(paths[1:]))}
    other = [path for path in paths if not is_run_folder(path)]
    if other:
        raise SettingsError(
            f"{other[0]} is no run folder, but others are.\n"
            "  Name run folders (with checkpoints/ in them), or a base and its checkpoints."
        )
    ends = [run_checkpoints(path) for path in paths]
    missing = [path for path, steps in zip(paths, ends, strict=True) if 0 not in steps]
    if missing:
        raise SettingsError(f"{missing[0]}: holds no step 0; name its base and its checkpoints.")
    names = _names(paths)
    return {
        name: (steps[0], [path for step, path in steps.items() if step])
        for name, steps in zip(names, ends, strict=True)
    }


def _names(paths: Sequence[Path]) -> list[str]:
    """Folder names; with their parents' where two folders share one."""
    short = [path.resolve().name for path in paths]
    if len(set(short)) == len(short):
        return short
    longer = [f"{path.resolve().parent.name}/{path.resolve().name}" for path in paths]
    if len(set(longer)) < len(longer):
        raise SettingsError("two of the run folders have one name; sweep them one by one.")
    return longer


def _ends(base: str | Path, tuned: Sequence[str | Path]) -> Trajectory:
    """W0 with the first and the last checkpoint: no others are read."""
    chosen = [tuned[0], tuned[-1]] if len(tuned) > 1 else list(tuned)
    return open_trajectory(base, chosen)


def _digests(opened: Mapping[str, Trajectory]) -> dict[str, str]:
    return {name: trajectory.base.digest() for name, trajectory in opened.items()}


def _head(opened: Mapping[str, Trajectory], settings: SweepSettings) -> dict[str, Any]:
    return {
        "hodograph": version("hodograph"),
        "scope": settings.scope,
        "runs": {
            name: {
                "base": str(trajectory.base.path),
                "checkpoints": [str(one.path) for one in trajectory.tuned],
                "steps": list(trajectory.steps),
            }
            for name, trajectory in opened.items()
        },
        "defaults": dict(DEFAULTS),
        "settings": settings.printed(),
        "versions": versions(),
    }
