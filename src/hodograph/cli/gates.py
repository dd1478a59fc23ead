"""`hodograph gates`: the three-gate account of a finished run."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from hodograph.cli.progress import entries_bar
from hodograph.cli.terminal import Terminal
from hodograph.errors import SettingsError
from hodograph.gates.measure import Gates, measure_gates
from hodograph.gates.settings import GatesSettings


def gates(
    run: Path,
    *,
    out: Path | None = None,
    teacher: Path | None = None,
    steps: str | None = None,
    prompts: int = 32,
    samples: int = 8,
    tokens: int = 8192,
    draws: int = 4,
    k: int = 16,
    seed: int = 0,
) -> None:
    """Measure the three-gate account of RUN: divergences, gradients, visible changes.

    The models of its checkpoints are run and differentiated; nothing is trained.

    Parameters
    ----------
    run
        A run folder: what hodograph train wrote, or seed_N/ARM of a study.
    out
        Folder for gates.parquet and gates.json; RUN/gates where it is left out.
    teacher
        Run or model folder whose log-ratio is the per-token coefficient; by default the recipe's.
    steps
        Steps of the checkpoints, as in 10,50,100; by default the first, the middle and the last.
    prompts
        Evaluation prompts of the run's task.
    samples
        Completions of each, the group that rewards are normalised in.
    tokens
        Most tokens of prompts and completions together; whole groups are kept.
    draws
        Draws of labels, and of every random null.
    k
        Principal directions of W0.
    seed
        Of prompts, samples and draws.
    """
    settings = GatesSettings(prompts, samples, tokens, steps_of(steps), draws, k, seed)
    folder = out or run / "gates"
    with entries_bar("gates") as on_progress:
        found = measure_gates(
            run, out=folder, teacher=teacher, settings=settings, on_progress=on_progress
        )
    print_gates(Terminal(), found)
    Terminal().print(f"table: {folder / 'gates.parquet'}", soft_wrap=True, highlight=False)


def print_gates(console: Console, found: Gates) -> None:
    """Print the numbers of every gate beside their nulls, one column a checkpoint."""
    steps = found.summary["steps"]
    table = Table(box=None, pad_edge=False)
    table.add_column("", no_wrap=True)
    for one in steps:
        table.add_column(f"step {one['step']}", justify="right")
    table.add_column(f"95 % at {steps[-1]['step']}", justify="right")
    for label, gate, path in LINES:
        numbers = [_at(one[gate], path) for one in steps]
        table.add_row(label, *map(_value, numbers), _interval(numbers[-1]))
    console.print(table)
    for warning in found.summary["warnings"]:
        console.print(f"warning: {warning}", soft_wrap=True, highlight=False)


LINES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("I   KL to W0, nats a token", "I", ("kl_to_anchor",)),
    ("    KL to checkpoint before", "I", ("kl_step",)),
    ("    KL to W0, second order", "I", ("quadratic",)),
    ("    isotropic, same norm", "I", ("null",)),
    ("    relative norm", "I", ("relative_norm",)),
    ("    isotropic, same KL", "I", ("bound",)),
    ("    curvature / isotropic", "I", ("curvature_ratio",)),
    ("    random, same inputs", "I", ("curvature_ratio_inputs",)),
    ("II  effective rank, shared", "II", ("effective_rank_shared",)),
    ("    permuted over samples", "II", ("null", "shared")),
    ("    random signs a sample", "II", ("signs", "shared")),
    ("    effective rank, per token", "II", ("effective_rank_per_token",)),
    ("    permuted over tokens", "II", ("null", "per_token")),
    ("    random signs a token", "II", ("signs", "per_token")),
    ("    principal energy, shared", "II", ("principal_energy", "shared")),
    ("    principal, per token", "II", ("principal_energy", "per_token")),
    ("    isotropic", "II", ("isotropic",)),
    ("    random, same inputs", "II", ("inputs",)),
    ("III deviation from the gate", "III", ("deviation",)),
    ("    Gaussian updates", "III", ("null",)),
    ("    permuted update", "III", ("permuted",)),
    ("    largest", "III", ("largest",)),
    ("    largest, Gaussian", "III", ("largest_null",)),
)


def steps_of(text: str | None) -> tuple[int, ...]:
    """Steps from the command line.

    Raises:
        SettingsError: not whole numbers joined by commas.
    """
    try:
        return tuple(int(part) for part in text.split(",")) if text is not None else ()
    except ValueError:
        raise SettingsError(
            f"--steps {text}: whole numbers joined by commas are expected, as in 10,50,100."
        ) from None


def _at(numbers: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    for name in path:
        numbers = numbers[name]
    return numbers


def _value(one: dict[str, Any]) -> str:
    return "-" if one["value"] is None else f"{one['value']:.3g}"


def _interval(one: dict[str, Any]) -> str:
    known = one["value"] is not None and one.get("low") is not None
    return f"{one['low']:.3g} to {one['high']:.3g}" if known else ""
