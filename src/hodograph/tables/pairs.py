"""Every column of the `pairs` table, declared once: two runs from one W0.

One row is one matrix, as stored. Letters: W0 base, A and B the weights of the two runs,
D_A = A - W0 and D_B = B - W0 their updates, M_A and M_B their visibly changed entries,
V_K and U_K the top-K right and left singular vectors, p = min(rows, cols).
"""

from dataclasses import replace

import pyarrow as pa

from hodograph.tables.columns import COLUMNS, OURS, Column, Family

RUNS = ("a", "b")
INTRUDER_TOP, INTRUDER_COSINE = 10, 0.5
INTRUDERS = "Shuttleworth et al., arXiv 2410.21228"
SHARED = (
    "update_sparsity",
    "relative_norm",
    "angle_left_mean",
    "angle_right_mean",
    "nss",
    "stable_rank",
)
"""Metrics of `matrices` that `pairs` holds for both runs, as NAME_a and NAME_b."""

_MATRICES = {column.name: column for column in COLUMNS}


def _column(name: str, unit: str, formula: str, family: Family, source: str = OURS) -> Column:
    return Column(name, pa.float64(), unit, formula, source, family)


def _identity() -> list[Column]:
    """The identity of `matrices`, but for the step: two runs have two."""
    own = {
        "storage": "the widest stored dtype of base, A and B; FP8 if one is",
        "flags": "no_update_a, no_update_b, sub_ulp_a, sub_ulp_b, lowered_k, nonfinite",
    }
    return [
        Column(c.name, c.type, c.unit, own.get(c.name, c.formula), c.source, c.family)
        for c in COLUMNS
        if c.family == "identity" and c.name != "step"
    ]


def _certificate() -> list[Column]:
    return [
        _MATRICES["method"],
        _column(
            "certificate_similarity",
            "degrees",
            "bound on the error of the two top-K subspaces that sim16 compares, summed",
            "certificate",
        ),
    ]


def _of_both(*names: str) -> list[Column]:
    """Columns of `matrices`, once for each run."""
    return [
        Column(
            f"{name}_{run}", c.type, c.unit, f"{c.formula}, of {run.upper()}", c.source, c.family
        )
        for name in names
        for c in (_MATRICES[name],)
        for run in RUNS
    ]


def _shared() -> list[Column]:
    return [
        *_of_both("update_sparsity"),
        replace(_MATRICES["nonfinite"], formula="NaN or infinite in W0, A or B"),
        _MATRICES["base_norm"],
        *_of_both("update_norm", "relative_norm"),
        _MATRICES["angle_k"],
        *_of_both("angle_left_mean", "angle_right_mean", "nss", "stable_rank"),
    ]


def _direction() -> list[Column]:
    def column(name: str, unit: str, formula: str) -> Column:
        return _column(name, unit, formula, "direction")

    return [
        column("cosine", "cosine", "<D_A, D_B> / (‖D_A‖_F ‖D_B‖_F)"),
        column("orthogonal_share", "share", "1 - cosine²: the part of ‖D_B‖²_F across D_A"),
        column("sim16_right", "share", "‖V_K(D_A)ᵀ V_K(D_B)‖²_F / K, K = 16"),
        column("sim16_right_chance", "share", "K / n: what two random subspaces give"),
        column("sim16_left", "share", "‖U_K(D_A)ᵀ U_K(D_B)‖²_F / K"),
        column("sim16_left_chance", "share", "K / m"),
        Column(
            "sim16_k", pa.int64(), "", "K of sim16; lowered for small matrices", OURS, "direction"
        ),
    ]


def _agreement() -> list[Column]:
    def column(name: str, formula: str) -> Column:
        return _column(name, "share", formula, "agreement")

    return [
        column("density_a", "p = |M_A| / (m n)"),
        column("density_b", "q = |M_B| / (m n)"),
        column("density_both", "|M_A and M_B| / (m n)"),
        column("mask_jaccard", "|M_A and M_B| / |M_A or M_B|"),
        column("mask_jaccard_independent", "p q / (p + q - p q): independent masks"),
        column(
            "mask_jaccard_gate", "the same if the masks are independent given the exponent of W0"
        ),
        column("coverage_a", "|M_A and M_B| / |M_A|; density_b for independent masks"),
        column("coverage_b", "|M_A and M_B| / |M_B|; density_a for independent masks"),
        column(
            "sign_agreement", "share of M_A and M_B where D_A and D_B have one sign; 0.5 by chance"
        ),
    ]


def _intruders() -> list[Column]:
    columns = [
        Column(
            "intruder_top",
            pa.int64(),
            "",
            f"singular vectors of A and of B that are looked at, min({INTRUDER_TOP}, p)",
            INTRUDERS,
            "intruders",
        )
    ]
    for run in RUNS:
        for side in ("left", "right"):
            name, of = f"{side}_{run}", f"{side} singular vectors of {run.upper()}"
            columns += [
                Column(
                    f"intruders_{name}",
                    pa.int64(),
                    "",
                    f"top {of} with |cosine| < {INTRUDER_COSINE} to all p of W0",
                    INTRUDERS,
                    "intruders",
                ),
                _column(
                    f"intruder_energy_{name}",
                    "share",
                    f"sum of sigma_i² of those, over ‖{run.upper()}‖²_F",
                    "intruders",
                ),
            ]
    return columns


PAIR_COLUMNS: tuple[Column, ...] = tuple(
    _identity() + _certificate() + _shared() + _direction() + _agreement() + _intruders()
)
PAIR_BY_NAME: dict[str, Column] = {column.name: column for column in PAIR_COLUMNS}
PAIR_METRICS: tuple[str, ...] = tuple(column.name for column in PAIR_COLUMNS if column.is_metric)
