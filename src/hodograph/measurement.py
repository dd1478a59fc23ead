"""Measuring from end to end: checkpoints in, a table and a summary out."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from hodograph.checkpoints import Checkpoint, Trajectory, open_trajectory
from hodograph.checkpoints.aside import digested_aside
from hodograph.checkpoints.source import FP8
from hodograph.engine.batches import batched
from hodograph.engine.choice import EngineName, engine_of
from hodograph.engine.plan import Plan, plan
from hodograph.engine.run import Engine, Progress, Work, run
from hodograph.engine.settings import Settings
from hodograph.engine.versions import versions
from hodograph.engine.worker import measure_parameter
from hodograph.errors import SettingsError
from hodograph.inputs.collect import Wanted, collect, identity
from hodograph.inputs.kept import KeptInputs
from hodograph.inputs.source import Source, open_source
from hodograph.matrices.pairing import Parameter, Skipped, pair
from hodograph.matrices.renaming import renamed
from hodograph.tables.lock import lock_of
from hodograph.tables.store import (
    MATRICES,
    Kind,
    MeasurementFolder,
    MemoryParts,
    held,
    table_of,
    to_frame,
)
from hodograph.tables.summary import factored, summarise, with_energy_share


@dataclass(frozen=True)
class Measurement:
    """What was measured.

    Attributes:
        matrices: one row a matrix, checkpoint and storage; the columns are those of
            hodograph.tables.columns.
        summary: means, medians, intervals, scope, what was skipped and why, W0's digest,
            settings and versions.
    """

    matrices: pd.DataFrame
    summary: dict[str, Any]


@dataclass(frozen=True)
class Job:
    """All that is known of a measurement before it starts.

    Attributes:
        trajectory: the checkpoints.
        parameters: what is measured.
        skipped: tensors that are left out, and why.
        settings: of the measurement.
        source: texts that W0 is run on, where they were asked for.
        device: what the numbers of the device depend on, as an engine's `kind_of` says.
    """

    trajectory: Trajectory
    parameters: list[Parameter]
    skipped: list[Skipped]
    settings: Settings
    source: Source | None
    device: str

    @cached_property
    def units(self) -> list[Parameter]:
        """The parameters as they are handed out and kept: each by itself, or in batches."""
        return batched(self.parameters, self.settings)

    @property
    def asked(self) -> dict[str, Any]:
        """What the fingerprint is made of, beside the checkpoints."""
        asked = self.settings.printed() | {"device": self.device}
        if self.source is not None:
            asked["inputs"] = identity(self.source, self.trajectory.base.path)
        return asked

    @cached_property
    def fingerprint(self) -> str:
        """What tells its parts from those of any other."""
        return fingerprint_of(self.trajectory, self.asked, MATRICES)


def measure(
    base: str | Path,
    tuned: str | Path | Sequence[str | Path],
    *,
    steps: Sequence[int] | None = None,
    inputs: str | Path | None = None,
    out: str | Path | None = None,
    settings: Settings | None = None,
    workers: int = 1,
    engine: EngineName = "local",
    address: str = "auto",
    on_progress: Progress = lambda done, total, name: None,
    **changed: Any,
) -> Measurement:
    """Measure the update from one checkpoint to another, or along a trajectory.

    Weights are read tensor by tensor: the memory needed is that of a few matrices.

    Args:
        base: W0: a file or folder with weights, or `hf://org/name@revision`.
        tuned: one later checkpoint or adapter of the base, or several in the order of training.
        steps: optimizer step of each; taken from the folder names where not given.
        inputs: texts, or a run folder of ours, that W0 is run on to see the layers' inputs; needs
            the extra `train`, and W0 as a folder with its configuration and tokenizer.
        out: folder, or URL of an object store, for matrices.parquet and summary.json. Finished
            matrices are kept there, so that the same call goes on after an interruption and a
            finished one returns at once.
        settings: all settings at once; or name single ones, as in `scope="attention"`.
        workers: processes of the local engine, one thread each; the numbers are bitwise the same
            for any number. With more than one, call this below `if __name__ == "__main__":` in a
            script. With device="cuda" at most one a CUDA device.
        engine: "local", or "ray" to measure on a Ray cluster, with bitwise the same numbers.
        address: of the Ray cluster; "auto" finds the one this machine belongs to, "local" starts
            one here.
        on_progress: called with entries done, entries in all, and the parameter in work.
        **changed: fields of Settings.

    Raises:
        CheckpointError: a checkpoint cannot be read, or holds NaN or infinite weights; with
            `inputs`, W0 is no whole model.
        FactoringError: the singular values of a matrix cannot be computed.
        PairingError: the checkpoints do not hold the same parameters.
        SettingsError: steps are unknown or not increasing, a setting is out of range, the device
            or the Ray cluster is not there, or `inputs` holds no texts.
        StorageError: results cannot be written to `out`.
    """
    settings = settings or Settings(**changed)
    chosen = engine_of(engine, address, workers, settings)
    device = chosen.kind_of(settings.device)
    job = open_job(base, tuned, settings, device, steps=steps, inputs=inputs)
    folder = MeasurementFolder(out, job.fingerprint) if out is not None else None
    with held(folder):
        return conclude(job, folder, chosen, on_progress)


def open_job(
    base: str | Path,
    tuned: str | Path | Sequence[str | Path],
    settings: Settings,
    device: str,
    *,
    steps: Sequence[int] | None = None,
    inputs: str | Path | None = None,
) -> Job:
    """Open the checkpoints and pair their parameters; no weight is read.

    Args:
        base: as of `measure`, as are `tuned`, `settings`, `steps` and `inputs`.
        tuned: later checkpoints.
        settings: of the measurement.
        device: what the numbers of the device depend on.
        steps: optimizer step of each checkpoint.
        inputs: texts to run W0 on.

    Raises:
        CheckpointError, PairingError, SettingsError: as `measure` would.
    """
    paths = [tuned] if isinstance(tuned, str | Path) else list(tuned)
    trajectory = _opened(base, paths, steps, settings)
    parameters, skipped = pair(trajectory, settings.scope, settings.unpaired)
    return Job(trajectory, parameters, skipped, settings, _source(inputs, settings), device)


def conclude(
    job: Job, folder: MeasurementFolder | None, engine: Engine, on_progress: Progress
) -> Measurement:
    """Measure what is not kept yet, and make the table and the summary of all.

    Args:
        job: what is to be measured.
        folder: where parts and results are kept, held by the caller; None keeps nothing.
        engine: computes what is missing.
        on_progress: as of `measure`.
    """
    settings = job.settings
    if folder is not None and (finished := folder.finished()) is not None:
        matrices, summary = finished
        if settings.accepts(matrices["nonfinite"].sum()):
            return Measurement(matrices, summary)
    parts = folder or MemoryParts()
    with digested_aside(job.trajectory.base) as digest:
        with _looked_at(job, folder, on_progress) as seen:
            rows = run(job.units, work_of(job, seen), settings.accepts, parts, on_progress, engine)
            described = seen.described() if seen else None
        base_digest = digest()
    table = table_of(with_energy_share(rows))
    matrices = to_frame(table)
    summary = _summary(job, matrices, base_digest)
    summary["inputs"] = described
    summary["warnings"] += _few_tokens(described, job.parameters)
    summary["fingerprint"] = job.fingerprint
    if folder is not None:
        folder.finish(table, summary)
    return Measurement(matrices, summary)


def work_of(job: Job, inputs: KeptInputs | None = None) -> Work:
    """What measures one unit of the job."""
    return partial(
        measure_parameter, trajectory=job.trajectory, settings=job.settings, inputs=inputs
    )


def _source(inputs: str | Path | None, settings: Settings) -> Source | None:
    if inputs is None:
        return None
    if settings.only == "sparsity":
        raise SettingsError(
            "inputs are compared with spectra, and sparsity alone has none.\n"
            "  Leave out --inputs, or --only sparsity."
        )
    if settings.dequantise:
        raise SettingsError(
            "inputs are seen by running the models, which are not run from FP8 files.\n"
            "  Leave out --inputs, or save the models in bfloat16 and leave out --dequantise."
        )
    return open_source(inputs, settings.input_tokens)


def _few_tokens(described: dict[str, Any] | None, parameters: list[Parameter]) -> list[str]:
    widest = max((b.cols for unit in parameters for b in unit.blocks if b.spectral), default=0)
    if described is None or described["tokens"] >= 2 * widest:
        return []
    return [
        f"The layers' inputs were seen at {described['tokens']} tokens, fewer than twice the"
        f" {widest} inputs of the widest matrix: their second moment is coarse (--input-tokens)."
    ]


@contextmanager
def _looked_at(
    job: Job, folder: MeasurementFolder | None, on_progress: Progress
) -> Iterator[KeptInputs | None]:
    """What the layers see, kept with the parts of the measurement; None where nobody asked."""
    if job.source is None:
        yield None
        return
    settings = job.settings
    wanted = Wanted(
        settings.input_tokens, settings.similarity_k, settings.input_draws, settings.seed
    )
    with TemporaryDirectory() as temporary:
        kept_in = Path(temporary) if folder is None else folder.beside("inputs")
        yield collect(job.parameters, job.trajectory, job.source, wanted, kept_in, on_progress)


def plan_measurement(
    base: str | Path,
    tuned: str | Path | Sequence[str | Path],
    *,
    steps: Sequence[int] | None = None,
    settings: Settings | None = None,
    workers: int = 1,
    engine: EngineName = "local",
) -> Plan:
    """What `measure` with the same arguments will read, need and take; no weight is read.

    No Ray cluster is asked: with `engine` "ray" the time is that of one core or GPU, and it is
    not known where this machine has no such device to time.

    Raises:
        CheckpointError, PairingError, SettingsError: as `measure` would.
    """
    settings = settings or Settings()
    engine_of(engine, "auto", workers, settings)
    job = open_job(base, tuned, settings, settings.device, steps=steps)
    on_cluster = engine == "ray"
    return plan(job.units, job.trajectory, settings, None if on_cluster else workers)


def _opened(
    base: str | Path, tuned: Sequence[str | Path], steps: Sequence[int] | None, settings: Settings
) -> Trajectory:
    trajectory = open_trajectory(base, tuned, steps, dequantise=settings.dequantise)
    if trajectory.numbered and settings.learning_rate is not None:
        raise SettingsError(
            "a learning rate needs optimizer steps, and the folder names tell none.\n"
            "  Name every step: --steps 60,120,180"
        )
    return trajectory


def _summary(job: Job, matrices: pd.DataFrame, base_digest: str) -> dict[str, Any]:
    trajectory, settings, parameters = job.trajectory, job.settings, job.parameters
    places = dict(zip(trajectory.steps, map(place_of, trajectory.tuned), strict=True))
    checkpoints = summarise(matrices, settings.seed)
    return {
        "hodograph": version("hodograph"),
        "scope": settings.scope,
        "base": {
            **place_of(trajectory.base),
            "digest": base_digest,
            "dtype": dtypes_of(trajectory.base),
        },
        "matrices": sum(len(unit.blocks) for unit in parameters),
        "parameters": sum(block.rows * block.cols for unit in parameters for block in unit.blocks),
        "skipped": [{"parameter": one.parameter, "reason": one.reason} for one in job.skipped],
        "renamed": renamed(parameters, trajectory),
        "warnings": warnings_of(trajectory, matrices),
        "settings": settings.printed(),
        "versions": versions() | {"device": job.device},
        "factored": factored(matrices),
        "lock": lock_of(matrices, settings.lock, settings.seed),
        "checkpoints": [places[entry["step"]] | entry for entry in checkpoints],
    }


def warnings_of(trajectory: Trajectory, matrices: pd.DataFrame) -> list[str]:
    """What a reader must know before believing a number of this measurement."""
    found = []
    if trajectory.numbered:
        found.append("No optimizer step is known; the checkpoints are numbered 1, 2, ...")
    for checkpoint in trajectory.tuned:
        if checkpoint.dtypes != trajectory.base.dtypes:
            mine, theirs = dtypes_of(trajectory.base), dtypes_of(checkpoint)
            found.append(f"{checkpoint.path} is stored in {theirs}, the base in {mine}.")
    found += dequantised_warnings((trajectory.base, *trajectory.tuned))
    for step, group in matrices.groupby("step"):
        if (group["update_norm"] == 0).all():
            found.append(f"Step {step} is identical to the base in every matrix of the scope.")
        elif (group["update_sparsity"] == 1).all():
            found.append(f"Step {step}: no weight of the scope visibly changes in bfloat16.")
        if int(group["nonfinite"].sum()):
            count = int((group["nonfinite"] > 0).sum())
            found.append(f"Step {step}: {count} rows hold NaN or infinity and have no spectrum.")
    return found


def dequantised_warnings(checkpoints: Sequence[Checkpoint]) -> list[str]:
    """What reading FP8 does to the numbers, for each checkpoint that holds it."""
    return [
        f"{checkpoint.path} holds FP8 weights, dequantised here: visibility in bfloat16 is of the"
        " dequantised values, and spectra of the update hold FP8's rounding noise."
        for checkpoint in checkpoints
        if set(FP8) & set(checkpoint.dtypes)
    ]


def place_of(checkpoint: Checkpoint) -> dict[str, str]:
    """Where a checkpoint lies, and the commit on the hub that it is."""
    hub = {} if checkpoint.hub is None else {"hub": str(checkpoint.hub)}
    return {"path": str(checkpoint.path)} | hub


def dtypes_of(checkpoint: Checkpoint) -> str:
    """The stored dtypes in words."""
    names = {"F32": "float32", "F64": "float64", "F16": "float16", "BF16": "bfloat16"} | FP8
    return " and ".join(names.get(dtype, dtype.lower()) for dtype in checkpoint.dtypes)


def fingerprint_of(trajectory: Trajectory, settings: dict[str, Any], kind: Kind) -> str:
    """What must be equal for finished parts to be parts of this measurement."""
    described = described_of(trajectory, settings, kind)
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()


def described_of(trajectory: Trajectory, settings: dict[str, Any], kind: Kind) -> dict[str, Any]:
    """What the fingerprint is made of."""
    asked = dict(settings)
    asked.pop("nonfinite", None)  # it decides whether a unit ends in an error, not what it holds
    return {
        "settings": asked,
        "steps": trajectory.steps,
        "versions": versions(),
        "columns": [column.name for column in kind.columns],  # an older table is measured anew
        "checkpoints": [_identity(c) for c in (trajectory.base, *trajectory.tuned)],
    }


def _identity(checkpoint: Checkpoint) -> list[Any]:
    if checkpoint.hub is not None:
        return [str(checkpoint.hub)]
    stats = [(str(file.resolve()), file.stat()) for file in sorted(checkpoint.files)]
    sizes = [[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats]
    read_by = [checkpoint.config.get(key) for key in ("num_attention_heads", "quantization_config")]
    return [sizes, checkpoint.training, *read_by]
