"""Comparing two runs from one W0, from end to end: checkpoints in, a table and a summary out."""

from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from hodograph.checkpoints import Checkpoint, RunEnd, Trajectory, open_checkpoint, open_run_end
from hodograph.engine.local import Local
from hodograph.engine.pairs import compare_parameter
from hodograph.engine.run import Progress, run
from hodograph.engine.settings import PairSettings
from hodograph.matrices.pairing import Parameter, Skipped, pair
from hodograph.measurement import (
    dequantised_warnings,
    dtypes_of,
    fingerprint_of,
    place_of,
    versions,
)
from hodograph.tables.pair_summary import summarise_pairs
from hodograph.tables.pairs import RUNS
from hodograph.tables.store import PAIRS, MeasurementFolder, MemoryParts, held, table_of, to_frame


@dataclass(frozen=True)
class Comparison:
    """What two runs have in common, and what sets them apart.

    Attributes:
        pairs: one row a matrix; the columns are those of hodograph.tables.pairs.
        summary: the whole updates' cosine and norms, means and intervals, tested differences,
            W0's digest, warnings, settings and versions.
    """

    pairs: pd.DataFrame
    summary: dict[str, Any]


def compare(
    base: str | Path,
    a: str | Path,
    b: str | Path,
    *,
    out: str | Path | None = None,
    settings: PairSettings | None = None,
    workers: int = 1,
    on_progress: Progress = lambda done, total, name: None,
    **changed: Any,
) -> Comparison:
    """Compare two runs that started from one W0, matrix by matrix.

    Both updates are formed against the one `base`. Weights are read tensor by tensor: the memory
    needed is that of a few matrices.

    Args:
        base: W0, a safetensors file or a Hugging Face folder.
        a: one run: a checkpoint, or a run folder, whose last checkpoint is taken.
        b: the other run, likewise.
        out: folder for pairs.parquet and compare.json. Finished matrices are kept there, so that
            the same call goes on after an interruption and a finished one returns at once.
        settings: all settings at once; or name single ones, as in `scope="attention"`.
        workers: processes, one thread each; the numbers are bitwise the same for any number. With
            more than one, call this below `if __name__ == "__main__":` in a script. With
            device="cuda" at most one a CUDA device.
        on_progress: called with entries done, entries in all, and the parameter in work.
        **changed: fields of PairSettings.

    Raises:
        CheckpointError: a checkpoint cannot be read, or holds NaN or infinite weights.
        FactoringError: the singular values of a matrix cannot be computed.
        PairingError: the checkpoints do not hold the same parameters.
        SettingsError: a setting is out of range, or the device is not there.
        StorageError: results cannot be written to `out`.
    """
    settings = settings or PairSettings(**changed)
    engine = Local(workers, settings.device)
    device = engine.kind_of(settings.device)
    start = open_checkpoint(base, dequantise=settings.dequantise)
    ends = tuple(open_run_end(run, start, dequantise=settings.dequantise) for run in (a, b))
    trajectory = Trajectory(start, tuple(end.checkpoint for end in ends), (1, 2), 0, numbered=True)
    parameters, skipped = pair(trajectory, settings.scope, settings.unpaired)
    fingerprint = fingerprint_of(trajectory, settings.printed() | {"device": device}, PAIRS)
    folder = MeasurementFolder(out, fingerprint, PAIRS) if out is not None else None
    with held(folder):
        if folder is not None and (finished := folder.finished()) is not None:
            pairs, summary = finished
            if settings.accepts(pairs["nonfinite"].sum()):
                return Comparison(pairs, summary)
        work = partial(compare_parameter, trajectory=trajectory, settings=settings)
        parts = folder or MemoryParts()
        rows = run(parameters, work, settings.accepts, parts, on_progress, engine)
        table = table_of(rows, PAIRS.columns)
        pairs = to_frame(table)
        summary = _head(trajectory, ends, parameters, skipped, settings, pairs)
        summary["versions"]["device"] = device
        summary |= summarise_pairs(pairs, settings.seed) | {"fingerprint": fingerprint}
        if folder is not None:
            folder.finish(table, summary)
        return Comparison(pairs, summary)


def _head(
    trajectory: Trajectory,
    ends: tuple[RunEnd, ...],
    parameters: list[Parameter],
    skipped: list[Skipped],
    settings: PairSettings,
    pairs: pd.DataFrame,
) -> dict[str, Any]:
    base = trajectory.base
    digest = base.digest()
    return {
        "hodograph": version("hodograph"),
        "scope": settings.scope,
        "base": _described(base) | {"digest": digest},
        **{letter: _described(end.checkpoint) for letter, end in zip(RUNS, ends, strict=True)},
        "matrices": len(pairs),
        "parameters": sum(block.rows * block.cols for unit in parameters for block in unit.blocks),
        "skipped": [{"parameter": one.parameter, "reason": one.reason} for one in skipped],
        "warnings": _warnings(base, digest, ends, pairs),
        "settings": settings.printed(),
        "versions": versions(),
    }


def _described(checkpoint: Checkpoint) -> dict[str, str]:
    return place_of(checkpoint) | {"dtype": dtypes_of(checkpoint)}


def _warnings(
    base: Checkpoint, digest: str, ends: tuple[RunEnd, ...], pairs: pd.DataFrame
) -> list[str]:
    """What a reader must know before believing a number of this comparison."""
    found = []
    for letter, end in zip(RUNS, ends, strict=True):
        name = f"{letter.upper()} ({end.checkpoint.path})"
        if end.checkpoint.dtypes != base.dtypes:
            found.append(
                f"{name} is stored in {dtypes_of(end.checkpoint)}, the base in {dtypes_of(base)}."
            )
        if not end.finished:
            found.append(f"{name} is the last checkpoint of a run that has not ended.")
        if end.start is not None and end.start.digest() != digest:
            found.append(
                f"{name}: the run's own step 0 holds other weights than the base, so its update"
                " is not of this run alone."
            )
        if (pairs[f"update_norm_{letter}"] == 0).all():
            found.append(f"{name} is identical to the base in every matrix of the scope.")
    found += dequantised_warnings((base, *(end.checkpoint for end in ends)))
    if nonfinite := int((pairs["nonfinite"] > 0).sum()):
        found.append(f"{nonfinite} matrices hold NaN or infinity and are not compared.")
    if len({str(end.checkpoint.path.resolve()) for end in ends}) == 1:
        found.append("A and B are the same checkpoint.")
    return found
