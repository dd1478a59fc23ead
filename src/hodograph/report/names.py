"""Which columns a page shows, and what it calls them; formulas are in `tables.columns`."""

from collections.abc import Sequence

from hodograph.orderings.metrics import COLUMNS as ORDERED_COLUMNS
from hodograph.tables.columns import BY_NAME, ULP_BINS

TITLES: dict[str, str] = {
    "update_sparsity": "Update sparsity",
    "update_sparsity_native_dtype": "Update sparsity, stored dtypes",
    "sign_flips": "Sign flips",
    "update_norm": "Update norm",
    "relative_norm": "Relative norm",
    "update_rms": "RMS of the update",
    "learning_rate_sum": "Learning rate × steps",
    "kappa": "κ",
    "weight_decay_norm": "What weight decay alone moves",
    "path_length": "Path length",
    "straightness": "Straightness",
    "step_cosine": "Cosine of successive step updates",
    "sim16_end": "Sim₁₆ to the end, right",
    "sim16_end_left": "Sim₁₆ to the end, left",
    "sim16_disjoint": "Sim₁₆ to the rest of the way",
    "sim16_adjacent": "Sim₁₆ of successive step updates",
    "angle_left_mean": "Mean principal angle, left",
    "angle_right_mean": "Mean principal angle, right",
    "angle_right_max": "Largest principal angle, right",
    "nss": "Normalized spectral shift (NSS)",
    "nss_per_relative_norm": "NSS per relative norm",
    "density": "Density",
    "overlap_principal_30": "Principal overlap, α = .3",
    "overlap_low_30": "Low-magnitude overlap, α = .3",
    "overlap_principal_30_odds_ratio": "Odds ratio of the principal mask, α = .3",
    "overlap_low_30_odds_ratio": "Odds ratio of the low mask, α = .3",
    "overlap_principal_50": "Principal overlap, α = .5",
    "overlap_low_50": "Low-magnitude overlap, α = .5",
    "principal_energy_left_16": "Energy in W0's top 16, left",
    "principal_energy_right_16": "Energy in W0's top 16, right",
    "principal_energy_16": "Energy in W0's top 16, both",
    "sigma_1": "Largest singular value",
    "stable_rank": "Stable rank",
    "participation_ratio": "Participation ratio",
    "effective_rank": "Effective rank",
    "top1_energy": "Energy in the top singular value",
    "top16_energy": "Energy in the top 16 singular values",
    "hill_11": "Hill estimate, k = 11",
    "hill_32": "Hill estimate, k = 32",
    "resolved_rank": "Resolved rank",
    "capture16": "Capture of the rest of the way, right",
    "capture16_left": "Capture of the rest of the way, left",
    "rest_energy": "Energy of the rest of the way",
    "input_overlap16": "Overlap with the top 16 inputs",
    "input_energy16": "Energy in the top 16 inputs",
    "input_drift16": "Drift of the top 16 inputs",
    "capture16_by_inputs": "Capture by a random update with the same inputs",
}
"""The metrics a page lists, in order, by the names it uses for them."""

OVERLAPS = (
    "overlap_principal_30",
    "overlap_low_30",
    "overlap_principal_50",
    "overlap_low_50",
)
TRAJECTORIES = (
    "stable_rank",
    "update_norm",
    "hill_11",
    "sim16_end",
    "capture16",
    "capture16_by_inputs",
)
HEAT_MAPS = (
    "update_sparsity",
    "relative_norm",
    "angle_right_mean",
    "overlap_principal_30_odds_ratio",
    "overlap_low_30_odds_ratio",
    "stable_rank",
)
CELL_TESTS = {"overlap_low_30_odds_ratio": "overlap_low_30_z"}
"""Heat maps whose cells can be tested, and the column of their standard scores.

The z of the principal mask is left out: an update of few directions rejects it up to six times too
often (docs/benchmarks.md), that of the low mask at its nominal rate.
"""
ULP_COLUMNS = tuple(f"ulp_{name}" for name in ULP_BINS)


def null_of(metric: str) -> str | None:
    """Return the column that says what chance alone gives for a metric, if there is one."""
    if metric == "sim16_end":
        return "sim16_chance"  # K / n is chance on the right side alone
    if metric == "kappa":
        return "kappa_random_walk"
    if metric in ("capture16", "capture16_by_inputs"):
        return "capture16_input_null"  # 0 is chance by definition
    names = (f"{metric}_null", f"{metric}_isotropic", f"{metric}_chance")
    return next((name for name in names if name in BY_NAME), None)


NULL_FOLLOWS_SIZE = (
    "update_sparsity",
    *OVERLAPS,
    "angle_left_mean",
    "angle_right_mean",
    "nss",
)
"""Metrics whose null is that of an update of the same size and no structure."""


def strata_of(metric: str) -> str | None:
    """Return the column of what its strata alone give for an overlap; None for other metrics."""
    return f"{metric}_expected" if metric in OVERLAPS else None


def storage_free(metric: str) -> bool:
    """Say whether a metric is defined on bfloat16 values and so is one number for all storages."""
    return BY_NAME[metric].family in ("visibility", "landing")


def _with_nulls(metrics: Sequence[str]) -> list[str]:
    nulls = [null for metric in metrics if (null := null_of(metric)) is not None]
    return [*metrics, *dict.fromkeys(nulls)]


NEEDED_COLUMNS: tuple[str, ...] = tuple(
    dict.fromkeys(
        (
            *("parameter", "layer", "module", "expert", "step", "storage", "rows", "cols"),
            *("flags", "null_reason", "angle_null_reason", "inputs_reason", "reliability"),
            *("exponents", "exponent_entries", "exponent_changed"),
            *ULP_COLUMNS,
            *CELL_TESTS.values(),
            *(f"{overlap}_{beside}" for overlap in OVERLAPS for beside in ("null_sd", "expected")),
            *_with_nulls(tuple(TITLES)),
            *ORDERED_COLUMNS,
        )
    )
)
"""Columns of `matrices` without which no page is written."""
