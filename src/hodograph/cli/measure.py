"""`hodograph measure`: checkpoints in, table, summary and page out."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from hodograph.cli.printed import print_measurement
from hodograph.cli.progress import entries_bar
from hodograph.engine.settings import Nonfinite, Settings
from hodograph.errors import SettingsError
from hodograph.matrices.pairing import Scope, Unpaired
from hodograph.measurement import measure as measure_checkpoints
from hodograph.report.page import render_measurement


def measure(
    base: Path,
    *tuned: Path,
    out: Path,
    steps: str | None = None,
    scope: Scope = "linear",
    also_bf16: Annotated[bool, Parameter(negative="")] = False,
    lr: float | None = None,
    angle_k: int = 512,
    mask_rank: int = 64,
    permutations: int = 4,
    exact: Annotated[bool, Parameter(negative="")] = False,
    seed: int = 0,
    unpaired: Unpaired = "error",
    nonfinite: Nonfinite = "error",
) -> None:
    """Measure the update from BASE to each TUNED checkpoint.

    Several TUNED are a trajectory, in the order of training. Run the same command again after an
    interruption: it goes on where it stopped.

    Parameters
    ----------
    base
        W0: a folder with safetensors files, or one such file.
    tuned
        Later checkpoints; steps are read from names like checkpoint-120 or step_120.
    out
        Folder for matrices.parquet, summary.json and report.html.
    steps
        Optimizer step of each TUNED, separated by commas.
    scope
        linear (q, k, v, o, gate, up, down), attention (q, k, v, o) or all.
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
    seed
        Seed of the permutations and of the bootstrap over layers.
    unpaired
        error, or skip tensors that are not in every checkpoint.
    nonfinite
        error, or skip the spectra of matrices with NaN or infinity.
    """
    settings = Settings(
        scope=scope, also_bf16=also_bf16, angle_k=angle_k, mask_rank=mask_rank,
        permutations=permutations, exact=exact, seed=seed, unpaired=unpaired, nonfinite=nonfinite,
        learning_rate=lr,
    )  # fmt: skip
    with entries_bar("measuring") as on_progress:
        measurement = measure_checkpoints(
            base, tuned, steps=_numbers(steps), out=out, settings=settings, on_progress=on_progress
        )
    print_measurement(Console(), measurement, render_measurement(out))


def _numbers(steps: str | None) -> list[int] | None:
    if steps is None:
        return None
    try:
        return [int(step) for step in steps.split(",")]
    except ValueError as error:
        raise SettingsError(
            f"--steps {steps}: whole numbers separated by commas were expected (60,120)."
        ) from error
