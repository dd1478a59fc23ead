"""`hodograph measure`: checkpoints in, table, summary and page out."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, TypedDict

from cyclopts import Parameter
from rich.filesize import decimal

from hodograph.cli.printed import print_measurement, print_plan
from hodograph.cli.progress import entries_bar
from hodograph.cli.terminal import Terminal
from hodograph.cli.written import render_at
from hodograph.engine.choice import EngineName
from hodograph.engine.devices import most_workers
from hodograph.engine.plan import LIBRARIES, Plan
from hodograph.engine.settings import Nonfinite, Only, Settings
from hodograph.engine.shard import Shard
from hodograph.errors import SettingsError
from hodograph.machine import available_memory
from hodograph.matrices.pairing import Scope, Unpaired
from hodograph.measurement import measure as measure_checkpoints
from hodograph.measurement import plan_measurement
from hodograph.sharding import measure_shard, plan_shard
from hodograph.tables.thresholds import LockThresholds

LOCK = LockThresholds()


Planned = Callable[..., Plan]


class Asked(TypedDict):
    """What planning and measuring are both given."""

    steps: list[int] | None
    settings: Settings


def measure(
    base: Path,
    *tuned: Path,
    out: Path | None = None,
    plan: Annotated[bool, Parameter(negative="")] = False,
    workers: int | None = None,
    engine: EngineName = "local",
    address: str = "auto",
    shard: str | None = None,
    steps: str | None = None,
    inputs: Path | None = None,
    input_tokens: int = 4096,
    input_draws: int = 4,
    scope: Scope = "linear",
    only: Only = "everything",
    also_bf16: Annotated[bool, Parameter(negative="")] = False,
    lr: float | None = None,
    angle_k: int = 512,
    mask_rank: int = 64,
    permutations: int = 4,
    exact: Annotated[bool, Parameter(negative="")] = False,
    device: str = "cpu",
    seed: int = 0,
    unpaired: Unpaired = "error",
    nonfinite: Nonfinite = "error",
    dequantise: Annotated[bool, Parameter(negative="")] = False,
    lock_capture: float = LOCK.capture,
    lock_share: float = LOCK.share,
    lock_after: int = LOCK.after,
    lock_noise: float = LOCK.noise,
    lock_energy: float = LOCK.energy,
    lock_inputs: float = LOCK.inputs,
) -> None:
    """Measure the update from BASE to each TUNED checkpoint.

    Several TUNED are a trajectory, in the order of training. Run the same command again after an
    interruption: it goes on where it stopped.

    Parameters
    ----------
    base
        W0: a file or folder with weights, or hf://org/name@revision.
    tuned
        Later checkpoints, or LoRA adapters of BASE; steps are read from names like
        checkpoint-120 or step_120.
    out
        Folder, or URL such as s3://bucket/name, for matrices.parquet, summary.json and
        report.html; needed unless --plan is given.
    plan
        Print what would be read, needed and taken, of the one share with --shard, and run nothing.
    workers
        Processes, one thread each; by default one for each core it may use and there is memory
        for, or one a CUDA device, where the plan exceeds 20 seconds. The numbers are bitwise the
        same for any number.
    engine
        local, or ray to measure on a Ray cluster (needs the extra `ray`); the numbers are bitwise
        the same.
    address
        Of the Ray cluster: auto (the one this machine belongs to), local (one on this machine
        alone), or host:port of its head.
    shard
        I/N: measure the I-th of N shares and leave its parts in --out; `hodograph merge` makes
        the result when all are there.
    steps
        Optimizer step of each TUNED, separated by commas.
    inputs
        Texts to run W0 on, to see what the layers' inputs alone explain: a text file, a JSONL
        file, or the folder of a run (needs the extra `train`).
    input_tokens
        Most tokens of them.
    input_draws
        Random updates with the same inputs, drawn for each matrix.
    scope
        linear (q, k, v, o, gate, up, down), attention (q, k, v, o) or all.
    only
        everything, or sparsity alone at the speed of reading.
    also_bf16
        Add rows of what bfloat16 storage would show.
    lr
        Constant learning rate of the run, for kappa, where the checkpoints do not record it.
    angle_k
        Largest dimension of the principal subspaces.
    mask_rank
        Rank of the part of W0 that the principal mask is cut from.
    permutations
        Draws of the within-matrix permutation null.
    exact
        Factor every matrix by a full SVD, the reference, several times slower.
    device
        Where matrices are factored: cpu, cuda (every GPU, one process each), or cuda:1.
    seed
        Seed of the permutations and of the bootstrap over layers.
    unpaired
        error, or skip tensors that are not in every checkpoint.
    nonfinite
        error, or skip the spectra of matrices with NaN or infinity.
    dequantise
        Read FP8 weights as codes times scales.
    lock_capture
        Capture from which the rest of the way counts as inside the early subspace.
    lock_share
        Share of the matrices that must be locked for the verdict "locked".
    lock_after
        Counted checkpoints that must follow t*.
    lock_noise
        Least energy of the rest of the way, in units of its rounding noise.
    lock_energy
        Least energy of the rest of the way, as a share of the whole update's.
    lock_inputs
        Part of the early update's capture that a random update with the same inputs must reach.
    """
    settings = Settings(
        scope=scope, only=only, also_bf16=also_bf16, angle_k=angle_k, mask_rank=mask_rank,
        permutations=permutations, exact=exact, device=device, seed=seed, unpaired=unpaired,
        nonfinite=nonfinite, learning_rate=lr, input_tokens=input_tokens, input_draws=input_draws,
        dequantise=dequantise,
        lock=LockThresholds(
            lock_capture, lock_share, lock_after, lock_noise, lock_energy, lock_inputs
        ),
    )  # fmt: skip
    asked: Asked = {"steps": _numbers(steps), "settings": settings}
    if workers is not None and workers < 1:
        raise SettingsError(f"--workers {workers}: at least one worker is needed.")
    share = None if shard is None else Shard.parse(shard)
    planned: Planned = partial(plan_measurement, base, tuned, **asked, engine=engine)
    if share is not None:
        _refuse_in_shards(engine, inputs)
        planned = partial(plan_shard, base, tuned, share, **asked)
    if plan:
        print_plan(Terminal(), _plan_of(planned, workers, engine, device))
        return
    if out is None:
        raise SettingsError("measure needs --out, the folder for its results.")
    if engine == "local" and workers is None:
        workers = _worth(planned, device)
    if share is not None:
        _measure_shard(base, tuned, share, out, asked, workers or 1)
        return
    with entries_bar("measuring") as on_progress:
        measurement = measure_checkpoints(
            base, tuned, **asked, inputs=inputs, out=out, workers=workers or 1, engine=engine,
            address=address, on_progress=on_progress,
        )  # fmt: skip
    print_measurement(Terminal(), measurement, render_at(out))


def _measure_shard(
    base: Path, tuned: tuple[Path, ...], shard: Shard, out: Path, asked: Asked, workers: int
) -> None:
    with entries_bar(f"measuring shard {shard}") as on_progress:
        done = measure_shard(
            base, tuned, shard, out=out, **asked, workers=workers, on_progress=on_progress
        )
    said = f"shard {shard}: its {done.units} of {done.of} units are finished"
    Terminal().print(f"{said}; merge all with: hodograph merge {out}", soft_wrap=True)


def _plan_of(planned: Planned, workers: int | None, engine: EngineName, device: str) -> Plan:
    """The plan for the processes that were asked for, or else for those there is room for."""
    if workers is not None or engine != "local":
        return planned(workers=workers or 1)
    ahead = planned(workers=most_workers(device))
    fitting = _fitting(ahead)
    return ahead if fitting == ahead.workers else planned(workers=fitting)


def _worth(planned: Planned, device: str) -> int:
    """Processes that are worth starting, and that there is room for."""
    ahead = planned(workers=most_workers(device))
    return _fitting(ahead) if ahead.worth_sharing else 1


def _fitting(ahead: Plan) -> int:
    """Its workers, or as many as memory is free for; says so where those are fewer."""
    workers, free = ahead.workers or 1, available_memory()
    if ahead.device != "cpu" or free is None:
        return workers
    each = ahead.memory + LIBRARIES
    fitting = max(1, free // each)
    if fitting >= min(workers, len(ahead.units)):
        return workers
    Terminal(stderr=True).print(
        f"workers: {fitting} in place of {workers}, since {decimal(free)} of memory is free and"
        f" each needs {decimal(each)}; --workers N starts N all the same.",
        soft_wrap=True, highlight=False,
    )  # fmt: skip
    return fitting


def _refuse_in_shards(engine: EngineName, inputs: Path | None) -> None:
    if engine != "local":
        raise SettingsError(
            "a Ray cluster shares the units out itself.\n  Leave out --shard, or --engine ray."
        )
    if inputs is not None:
        raise SettingsError(
            "the layers' inputs are looked at by one process, and a shard is one of several.\n"
            "  Leave out --inputs, or measure with --engine ray in place of shards."
        )


def _numbers(steps: str | None) -> list[int] | None:
    if steps is None:
        return None
    try:
        return [int(step) for step in steps.split(",")]
    except ValueError as error:
        raise SettingsError(
            f"--steps {steps}: whole numbers separated by commas were expected (60,120)."
        ) from error
