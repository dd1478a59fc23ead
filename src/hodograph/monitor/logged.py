"""From one row a matrix to one number a step, under the names that trackers show."""

from collections.abc import Iterable, Sequence
from statistics import fmean, median

from hodograph.monitor.walk import MatrixWalk, Row

PREFIX = "geometry/"
MEANS = ("relative_norm", "kappa", "kappa_random_walk", "stable_rank", "sim16_previous",
         "sim16_chance")  # fmt: skip
BY_STEP = ("sim16", "capture16")


def logged(rows: Sequence[Row], walks: Iterable[MatrixWalk], nonfinite: int) -> dict[str, float]:
    """Means over the matrices, where they have a value; sparsity is weighted by their entries.

    Args:
        rows: of the finite matrices at one step, each with its `entries`.
        walks: of all matrices, for the lock.
        nonfinite: matrices left out for NaN or infinite weights.
    """
    found: dict[str, float] = {}
    if rows:
        total = sum(row["entries"] for row in rows)
        found["update_sparsity"] = (
            sum(row["update_sparsity"] * row["entries"] for row in rows) / total
        )
    for name in MEANS:
        found |= _mean(name, [row[name] for row in rows if row.get(name) is not None])
    for name in BY_STEP:
        for step in sorted({step for row in rows for step in row.get(name, {})}):
            values = [row[name][step] for row in rows if step in row.get(name, {})]
            found |= _mean(f"{name}/step_{step}", values)
    found |= _lock(walks)
    if nonfinite:
        found["nonfinite_matrices"] = nonfinite
    return {PREFIX + name: value for name, value in found.items()}


def _mean(name: str, values: list[float]) -> dict[str, float]:
    return {name: fmean(values)} if values else {}


def _lock(walks: Iterable[MatrixWalk]) -> dict[str, float]:
    """Share of the locked among the decided matrices, and the median step they are locked from."""
    standings = [walk.standing for walk in walks]
    decided = [standing for standing, _ in standings if standing != "undetermined"]
    if not decided:
        return {}
    found = {"locked": decided.count("locked") / len(decided)}
    if steps := [step for _, step in standings if step is not None]:
        found["lock_step"] = median(steps)
    return found
