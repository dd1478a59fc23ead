"""`hodograph adapt`: a run's early subspace as an adapter."""

from pathlib import Path
from typing import Literal

from rich.progress import Progress

from hodograph.cli.terminal import Terminal


def adapt(
    run: Path,
    *,
    at_step: int,
    rank: int,
    out: Path,
    basis: Literal["own", "inputs"] = "own",
) -> None:
    """Write a LoRA adapter that goes on inside the subspace of a run's early update.

    Its A is fixed to V_Kᵀ and its B is 0, on top of the checkpoint at that step: training B alone
    needs K numbers of optimizer state for every N. PEFT loads it. docs/guides/subspace.md shows
    how it is trained.

    Parameters
    ----------
    run
        Run folder, with checkpoints of step 0 and of --at-step.
    at_step
        The step whose update spans the subspace, and whose weights the adapter belongs to.
    rank
        K, directions for each matrix.
    out
        Folder for the adapter.
    basis
        own: leading right singular vectors of the update. inputs: leading directions of the
        layers' inputs, for which --at-step may be 0.
    """
    from hodograph.training.adapters.early import adapt as adapt_run  # imports torch: seconds

    console = Terminal(stderr=True)
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task("subspaces", total=None)
        adapter = adapt_run(
            run,
            at_step,
            rank,
            out,
            basis=basis,
            on_matrix=lambda done, total: progress.update(bar, completed=done, total=total),
        )
    console.print(
        f"{adapter.matrices} matrices; {adapter.trained:,} of {adapter.weights:,} numbers train"
        f" ({adapter.trained / adapter.weights:.1%})",
        highlight=False,
    )
    if adapter.update_energy is not None:
        console.print(f"inside: {adapter.update_energy:.1%} of the early update's energy")
    console.print(f"base: {adapter.base}; adapter in {adapter.path}", soft_wrap=True)
