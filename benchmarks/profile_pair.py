"""Where the time of a whole pair goes, part by part, and the floor its arithmetic sets.

    make smollm2
    OMP_NUM_THREADS=1 python benchmarks/profile_pair.py \
        runs/smollm2/instruct runs/smollm2/sft/checkpoints/step_6

One process, one thread, CPU time, sampled: nothing is slower for being measured. The floor of a
part is its floating-point operations at the speed of a float64 matrix product on the same thread;
parts that count have none. A part that is never seen at work ends the command with its name.
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from harness import machine, table
from hodograph import measure
from hodograph.checkpoints import Checkpoint
from hodograph.cli.progress import entries_bar
from hodograph.diagnostics.energy import principal_energy
from hodograph.diagnostics.landing import landing, permutation_null
from hodograph.diagnostics.masks import masks_of
from hodograph.diagnostics.rotation_null import isotropic_turn
from hodograph.diagnostics.size import size
from hodograph.diagnostics.spectrum import resolution
from hodograph.diagnostics.visibility import look
from hodograph.linalg.factor import factor_many
from hodograph.linalg.subspaces import principal_angles
from hodograph.report.page import render_measurement
from hodograph.tables.store import MeasurementFolder
from hodograph.tables.summary import summarise
from sampled import sampled

FACTORED, COMPARED = "factoring W0, W1 and D", "principal angles"
ENERGY = "energy in W0's subspaces"
PARTS = {
    factor_many: FACTORED,
    principal_angles: COMPARED,
    principal_energy: ENERGY,
    isotropic_turn: "null of the angles",
    permutation_null: "permutation null",
    landing: "overlaps, strata and gate",
    masks_of: "masks",
    look: "visibility",
    resolution: "rounding noise",
    size: "norms",
    Checkpoint.digest: "digest of W0",
    MeasurementFolder.store: "keeping finished units",
    summarise: "summary, its intervals",
    render_measurement: "page",
}
SIDE = 1024


def product_speed() -> float:
    """Operations a second of a float64 matrix product, the best of five."""
    square = np.random.default_rng(0).standard_normal((SIDE, SIDE))
    taken = []
    for _ in range(6):
        start = time.process_time()
        square @ square.T[:, ::-1]
        taken.append(time.process_time() - start)
    return 2 * SIDE**3 / min(taken)


def floors(shapes: list[tuple[int, int, int]]) -> dict[str, float]:
    """Operations of the parts that are linear algebra: rows, columns and k of every matrix.

    Those of the energies are in float32, which has twice the speed, and count half.
    """
    found = dict.fromkeys((FACTORED, COMPARED, ENERGY), 0.0)
    for rows, cols, k in shapes:
        short, long = min(rows, cols), max(rows, cols)
        gram_reduced = short**2 * long + 4 / 3 * short**3
        sides = 2 * short * long + 2 * short**2  # a vector: far side, and turning back
        found[FACTORED] += 3 * gram_reduced + 2 * k * sides
        found[COMPARED] += 5 * k**2 * (rows + cols)
        found[ENERGY] += 2 * rows * cols * k + k**2 * cols
    return found


def main() -> None:
    """Print the table as Markdown."""
    base, tuned = sys.argv[1:]
    imports, speed = time.process_time(), product_speed()
    shapes: list[tuple[int, int, int]] = []

    def whole(out: str) -> None:
        with entries_bar("measuring") as on_progress:
            matrices = measure(base, tuned, out=out, on_progress=on_progress).matrices
        render_measurement(Path(out))
        shapes.extend(matrices[["rows", "cols", "angle_k"]].itertuples(index=False, name=None))

    with tempfile.TemporaryDirectory() as out:
        taken = sampled(lambda: whole(out), PARTS)
    total = taken.pop("all") + imports
    taken["imports"] = imports
    taken["else"] = total - sum(taken.values())
    floor = floors(shapes)
    print(f"{machine()}; {speed / 1e9:.0f} GFLOP/s in float64 products\n")
    rows = []
    for part, seconds in sorted(taken.items(), key=lambda item: -item[1]):
        least = f"{floor[part] / speed:.1f}" if part in floor else ""
        rows.append([part, f"{seconds:.1f}", f"{100 * seconds / total:.0f}", least])
    least = f"{sum(floor.values()) / speed:.1f}"
    rows.append([f"all {len(shapes)} matrices", f"{total:.1f}", "100", least])
    print(table(["part", "CPU, s", "%", "floor, s"], rows))


if __name__ == "__main__":
    main()
