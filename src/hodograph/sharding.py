"""Measuring in shares that cannot talk to each other, and merging what they left.

Every shard writes the parts of its units and, beside them, what the whole is: `plan.json`. Merging
opens the checkpoints as that file names them, checks that it is still the same measurement with
every part there, and makes the table and the summary that one process would have made.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hodograph.engine.devices import check_device
from hodograph.engine.local import Local
from hodograph.engine.plan import Plan, costs_of, largest_first, plan
from hodograph.engine.run import Progress, run
from hodograph.engine.settings import Settings
from hodograph.engine.shard import Shard, dealt
from hodograph.errors import SettingsError, StorageError
from hodograph.matrices.pairing import Parameter
from hodograph.measurement import (
    Job,
    Measurement,
    conclude,
    described_of,
    open_job,
    work_of,
)
from hodograph.storage import Store, open_store
from hodograph.tables.store import (
    MATRICES,
    PARTS,
    PLAN_FILE,
    MeasurementFolder,
    parts_name,
    read_measurement,
)
from hodograph.tables.thresholds import LockThresholds

LONGEST = 80  # characters of a difference that is written out


@dataclass(frozen=True)
class ShardDone:
    """What one shard did.

    Attributes:
        units: stored parameters of this shard, all of them finished.
        of: stored parameters of the whole measurement.
    """

    units: int
    of: int


def measure_shard(
    base: str | Path,
    tuned: str | Path | Sequence[str | Path],
    shard: Shard,
    *,
    out: str | Path,
    steps: Sequence[int] | None = None,
    settings: Settings | None = None,
    workers: int = 1,
    on_progress: Progress = lambda done, total, name: None,
) -> ShardDone:
    """Measure the units of one shard and keep their parts in `out`; no table is written.

    Shards may run at the same time, on any machines that see `out` and the checkpoints under the
    same paths. A shard that is run again goes on where it stopped.

    Args:
        base: as of `measure`, as are `tuned`, `steps`, `settings`, `workers` and `on_progress`.
        tuned: later checkpoints.
        shard: which share of the units.
        out: folder, or URL of an object store, that all shards share.
        steps: optimizer step of each checkpoint.
        settings: of the measurement.
        workers: processes, one thread each.
        on_progress: called with entries done, entries in all of this shard, and the parameter.

    Raises:
        CheckpointError, PairingError, SettingsError, StorageError: as `measure`.
    """
    settings = settings or Settings()
    engine = Local(workers, settings.device)
    job = open_job(base, tuned, settings, engine.kind_of(settings.device), steps=steps)
    mine = shards_of(job, shard.of)[shard.number - 1]
    folder = MeasurementFolder(out, job.fingerprint)
    with folder.held(f"{shard.number}-of-{shard.of}"):
        if folder.finished() is None:
            folder.describe(_described(base, tuned, steps, job, shard.of))
            run(mine, work_of(job), settings.accepts, folder, on_progress, engine)
    return ShardDone(len(mine), len(job.units))


def plan_shard(
    base: str | Path,
    tuned: str | Path | Sequence[str | Path],
    shard: Shard,
    *,
    steps: Sequence[int] | None = None,
    settings: Settings | None = None,
    workers: int = 1,
) -> Plan:
    """What `measure_shard` with the same arguments will read, need and take.

    Raises:
        CheckpointError, PairingError, SettingsError: as `measure_shard` would.
    """
    settings = settings or Settings()
    check_device(settings.device, workers)
    job = open_job(base, tuned, settings, settings.device, steps=steps)
    mine = shards_of(job, shard.of)[shard.number - 1]
    return plan(mine, job.trajectory, settings, workers)


def merge(out: str | Path) -> Measurement:
    """Make the table and the summary of a measurement whose shards are all finished.

    The result is bitwise that of `measure` with the same arguments. Relative paths of checkpoints
    are taken from the working directory, as they were when the shards ran.

    Args:
        out: what the shards were given.

    Raises:
        StorageError: no shards are there, units are missing, or the shards are of several
            measurements, or of another than their checkpoints and versions are now.
        CheckpointError, PairingError, SettingsError: the checkpoints cannot be opened again.
    """
    store = open_store(out)
    plans = _plans(store)
    if not plans:
        return _merged_before(store)
    with store.held():
        folder, plan = _only(store, plans)
        job = _reopened(store, folder, plan)
        _require_same(store, folder, plan, job)
        target = MeasurementFolder(out, job.fingerprint)
        if target.finished() is None:
            _require_whole(store, target, job, plan["shards"])
        return conclude(job, target, Local(), lambda done, total, name: None)


def shards_of(job: Job, shards: int) -> list[list[Parameter]]:
    """The units of each shard, balanced by what the plan expects them to cost.

    Raises:
        SettingsError: more shards than units.
    """
    units = largest_first(job.units)
    if shards > len(units):
        raise SettingsError(
            f"{shards} shards, and {len(units)} units to share (stored parameters).\n"
            f"  Name at most {len(units)} shards."
        )
    return dealt(units, costs_of(units, job.trajectory, job.settings), shards)


def _described(
    base: str | Path,
    tuned: str | Path | Sequence[str | Path],
    steps: Sequence[int] | None,
    job: Job,
    shards: int,
) -> dict[str, Any]:
    paths = [tuned] if isinstance(tuned, str | Path) else tuned
    return {
        "base": str(base),
        "tuned": [str(path) for path in paths],
        "steps": None if steps is None else list(steps),
        "settings": job.settings.printed(),
        "device": job.device,
        "shards": shards,
        "fingerprint_of": described_of(job.trajectory, job.asked, MATRICES),
    }


def _plans(store: Store) -> dict[str, dict[str, Any]]:
    """What each folder of parts that shards wrote says of itself."""
    found = {}
    for folder in sorted(name for name in store.names() if name.startswith(PARTS)):
        content = store.read(f"{folder}/{PLAN_FILE}")
        if content is None:
            continue
        try:
            found[folder] = json.loads(content)
        except ValueError as error:
            raise StorageError(
                f"{store.where}/{folder}/{PLAN_FILE}: damaged ({error}).\n"
                "  Run one of the shards again: it is written anew."
            ) from error
    return found


def _merged_before(store: Store) -> Measurement:
    with store.copy((MATRICES.table_file, MATRICES.summary_file)) as folder:
        if not (folder / MATRICES.summary_file).exists():
            raise StorageError(
                f"{store.where}: no shard has left parts here.\n"
                "  Name the folder that was given to --out of `hodograph measure --shard I/N`."
            )
        return Measurement(*read_measurement(folder))


def _only(store: Store, plans: dict[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    """The one plan that is there.

    Raises:
        StorageError: there are several.
    """
    (folder, plan), *others = plans.items()
    for other, its in others:
        differs = _difference(plan["fingerprint_of"], its["fingerprint_of"])
        raise StorageError(
            f"{store.where}: shards of {len(plans)} different measurements are here.\n"
            f"  {folder} and {other} differ in {differs}.\n"
            "  Remove the folder that is not wanted, and merge again."
        )
    return folder, plan


def _reopened(store: Store, folder: str, plan: dict[str, Any]) -> Job:
    """The job that the shards had; checkpoints are opened again.

    Raises:
        StorageError: the plan has other settings than this version of hodograph.
    """
    try:
        values = dict(plan["settings"])
        settings = Settings(**values | {"lock": LockThresholds(**values["lock"])})
    except (KeyError, TypeError) as error:
        raise StorageError(
            f"{store.where}/{folder}/{PLAN_FILE}: of another version of hodograph ({error}).\n"
            "  Merge with the version that ran the shards."
        ) from error
    return open_job(plan["base"], plan["tuned"], settings, plan["device"], steps=plan["steps"])


def _require_same(store: Store, folder: str, plan: dict[str, Any], job: Job) -> None:
    """Refuse checkpoints that changed, and versions other than those the shards ran with."""
    if folder == parts_name(job.fingerprint):
        return
    now = json.loads(json.dumps(described_of(job.trajectory, job.asked, MATRICES)))
    raise StorageError(
        f"{store.where}/{folder}: the shards measured something else than is here now; it differs"
        f" in {_difference(plan['fingerprint_of'], now)}.\n"
        "  Merge where they ran, in the same directory and environment, or measure again."
    )


def _require_whole(store: Store, target: MeasurementFolder, job: Job, shards: int) -> None:
    """Refuse to merge while units are missing, and say whose they are."""
    missing = set(target.missing([unit.name for unit in job.units]))
    if not missing:
        return
    dealt_out = enumerate(shards_of(job, shards), 1)
    late = [f"{i}/{shards}" for i, units in dealt_out if missing & {u.name for u in units}]
    raise StorageError(
        f"{store.where}: {len(missing)} of {len(job.units)} units are missing.\n"
        f"  Run these shards again, and merge then: --shard {', --shard '.join(late)}"
    )


def _difference(mine: dict[str, Any], theirs: dict[str, Any]) -> str:
    """What differs between two descriptions of a measurement, and how where that is short."""
    found = []
    flat, other = _flat(mine), _flat(theirs)
    for name in sorted(flat.keys() | other.keys()):
        if flat.get(name) != other.get(name):
            said = f"{name} ({flat.get(name)}, {other.get(name)})"
            found.append(said if len(said) < LONGEST else name)
    return ", ".join(found)


def _flat(described: dict[str, Any]) -> dict[str, Any]:
    """Nested names, dotted."""
    found = {}
    for key, value in described.items():
        if isinstance(value, dict):
            found |= {f"{key}.{name}": inner for name, inner in _flat(value).items()}
        else:
            found[key] = value
    return found
