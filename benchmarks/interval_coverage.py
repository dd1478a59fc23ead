"""How often the interval over layers holds the truth, on simulated runs whose truth is known.

Each run has L layers of 7 matrices. A layer's effect is normal, or log-normal (skewed) with a
standard deviation of .5 of its logarithm; a matrix adds normal noise of half the layers' spread.
Beside the product's interval stands the plain percentile bootstrap of scipy.

    python benchmarks/interval_coverage.py
"""

import math

import numpy as np
import pandas as pd
from scipy.stats import bootstrap

from harness import table
from hodograph.statistics.bootstrap import DRAWS, layer_intervals

RUNS, MODULES = 1000, 7
SKEW = 0.5
TRUTH = {"normal": 0.0, "log-normal": math.exp(SKEW**2 / 2)}


def simulated(layers: int, effects: str, generator: np.random.Generator) -> pd.DataFrame:
    """Values of one run's matrices, whose mean over all runs is the truth."""
    if effects == "normal":
        effect, spread = generator.normal(size=layers), 1.0
    else:
        effect, spread = generator.lognormal(0, SKEW, layers), SKEW
    noise = generator.normal(0, spread / 2, layers * MODULES)
    layer = np.repeat(np.arange(layers), MODULES)
    return pd.DataFrame({"layer": layer, "value": np.repeat(effect, MODULES) + noise})


def plain(run: pd.DataFrame, generator: np.random.Generator) -> tuple[float, float]:
    """The percentile interval of the mean of the layers' means."""
    means = run.groupby("layer")["value"].mean().to_numpy()
    found = bootstrap((means,), np.mean, n_resamples=DRAWS, method="percentile", rng=generator)
    return found.confidence_interval


def coverage(layers: int, effects: str) -> tuple[float, float]:
    """Shares of runs whose interval holds the truth: the product's, the plain one's."""
    generator = np.random.default_rng(layers)
    ours = theirs = 0
    for _ in range(RUNS):
        run = simulated(layers, effects, generator)
        bounds = layer_intervals(run[["value"]], run["layer"], generator)["value"]
        low, high = plain(run, generator)
        ours += bounds["low"] <= TRUTH[effects] <= bounds["high"]
        theirs += low <= TRUTH[effects] <= high
    return ours / RUNS, theirs / RUNS


def main() -> None:
    """Print the table that docs/concepts/statistics.md quotes."""
    rows = []
    for layers in (3, 6, 8, 12, 28, 36):
        shares = [share for effects in TRUTH for share in coverage(layers, effects)]
        rows.append([str(layers), *(f"{100 * share:.1f}" for share in shares)])
    headings = ["layers", *(f"{effects}{end}" for effects in TRUTH for end in (", %", ", plain"))]
    print(table(headings, rows))


if __name__ == "__main__":
    main()
