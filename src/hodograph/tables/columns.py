"""Every column of the `matrices` table, declared once.

One row is one matrix at one checkpoint, seen through one storage. The declaration gives the
type, unit, formula and source of each column; `hodograph columns` prints it, docs/columns.md is
generated from it, and the Parquet schema is built from it.

Letters: W0 base, D = W1 - W0 the update, p = min(rows, cols), s the singular values of D,
b(.) rounding to bfloat16, V_K the top-K right singular vectors, M the visibly changed entries,
C the second moment of the matrix's inputs, Z Gaussian.
"""

from dataclasses import dataclass
from functools import cache
from typing import Literal

import pyarrow as pa

Family = Literal[
    "identity",
    "certificate",
    "visibility",
    "size",
    "path",
    "rotation",
    "shift",
    "landing",
    "energy",
    "spectrum",
    "lock",
    "inputs",
    "direction",
    "agreement",
    "intruders",
    "leash",
    "gradient",
    "visible",
]

PNT = "Zhu et al., arXiv 2511.08567"
OPD = "Shen et al., arXiv 2606.07082"
OURS = "hodograph"

ALPHAS = (30, 50)
ENERGY_KS = ("16", "64", "k")
TOP_ENERGIES = (1, 8, 16, 64)
HILL_ORDERS = ("11", "32", "5pct")
ULP_BINS = ("0", "1", "2", "3_4", "5_8", "over_8")


@dataclass(frozen=True)
class Column:
    """One column of a table: what it holds and where its definition comes from."""

    name: str
    type: pa.DataType
    unit: str
    formula: str
    source: str
    family: Family

    @property
    def is_metric(self) -> bool:
        """Whether the column is a measured number that a summary averages."""
        return self.family not in ("identity", "certificate") and self.type in (
            pa.float64(),
            pa.int64(),
        )


def _identity() -> list[Column]:
    def column(name: str, kind: pa.DataType, unit: str, formula: str) -> Column:
        return Column(name, kind, unit, formula, OURS, "identity")

    text, whole = pa.string(), pa.int64()
    return [
        column("parameter", text, "", "name of the stored tensor in the base"),
        column("layer", whole, "", "index of the transformer layer; empty outside the layers"),
        column("module", text, "", "q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, ..."),
        column("expert", whole, "", "index of the expert; empty in dense layers"),
        column("step", whole, "optimizer steps", "step of the checkpoint"),
        column(
            "storage",
            text,
            "",
            "dtype the update is seen in: as stored, FP8 if W0 or W1 is, or bfloat16",
        ),
        column("rows", whole, "", "output dimension m of the matrix"),
        column("cols", whole, "", "input dimension n of the matrix"),
        column("flags", pa.list_(text), "",
               "no_update, sub_ulp, ill_defined, uncertified, nonfinite, lowered_k"),
    ]  # fmt: skip


def _certificate() -> list[Column]:
    def column(name: str, kind: pa.DataType, unit: str, formula: str) -> Column:
        return Column(name, kind, unit, formula, OURS, "certificate")

    return [
        column("method", pa.string(), "",
               "gram (on the CPU), eigh (on a GPU), svd, product (an adapter's update); joined by "
               "+"),
        column("certificate_angles", pa.float64(), "degrees",
               "bound on the error of every principal angle: residual over gap, of W0 and W1, and "
               "the error of the sines; flag uncertified above 1e-6"),
        column("certificate_similarity", pa.float64(), "degrees",
               "residual over gap of the update's top-K subspace, which sim16_end compares"),
        column("certificate_spectrum", pa.float64(), "relative",
               "bound on the relative error of nss; flag uncertified above 1e-4"),
        column("certificate_ahead", pa.float64(), "degrees",
               "residual over gap of the top-K subspaces of W_t - W_{t-1} and W_T - W_t, the "
               "larger"),
    ]  # fmt: skip


def _visibility() -> list[Column]:
    def column(name: str, unit: str, formula: str, source: str = OURS) -> Column:
        return Column(name, pa.float64(), unit, formula, source, "visibility")

    columns = [
        column("update_sparsity", "share", "#{b(W0) = b(W1)} / (m n)", f"{PNT}; {OPD}"),
        column("update_sparsity_null", "share", "the same after permuting D within the matrix"),
        column("update_sparsity_native_dtype", "share", "#{W0 = W1} / (m n) in the stored dtypes"),
    ]
    columns += [
        column(f"ulp_{name}", "share", f"entries whose bfloat16 value moved {name} ULPs")
        for name in ULP_BINS
    ]
    columns += [
        column("sign_flips", "share", "entries whose bfloat16 value changed sign"),
        Column(
            "nonfinite", pa.int64(), "entries", "NaN or infinite in W0 or W1", OURS, "visibility"
        ),
    ]
    for name, formula in (
        ("exponents", "biased bfloat16 exponents of W0 that occur, ascending"),
        ("exponent_entries", "entries of W0 with that exponent"),
        ("exponent_changed", "those of them that visibly changed"),
    ):
        columns.append(Column(name, pa.list_(pa.int64()), "entries", formula, OURS, "visibility"))
    columns += [
        column(
            "gate_scale",
            "weight",
            "standard deviation s of the isotropic Gaussian update that gives this density",
        ),
        Column(
            "exponent_gate",
            pa.list_(pa.float64()),
            "share",
            "share of the entries with that exponent it changes: erfc(ulp / (2 sqrt(2) s)) on the "
            "bfloat16 grid",
            OURS,
            "visibility",
        ),
    ]
    return columns


def _size() -> list[Column]:
    def column(name: str, unit: str, formula: str) -> Column:
        return Column(name, pa.float64(), unit, formula, OURS, "size")

    return [
        column("base_norm", "weight", "‖W0‖_F"),
        column("update_norm", "weight", "‖D‖_F"),
        column("relative_norm", "ratio", "‖D‖_F / ‖W0‖_F"),
        column("update_max", "weight", "max |D|"),
        column("update_rms", "weight", "‖D‖_F / sqrt(m n)"),
        column("energy_share", "share", "‖D‖²_F over its sum in the scope at this checkpoint"),
    ]


def _path() -> list[Column]:
    def column(name: str, unit: str, formula: str, source: str = OURS) -> Column:
        return Column(name, pa.float64(), unit, formula, source, "path")

    return [
        column("learning_rate_sum", "lr x steps", "sum of the learning rate over the steps so far"),
        column("kappa", "ratio", "RMS(D) / learning_rate_sum: the coherence of the steps"),
        column("path_length", "weight", "sum of ‖W_t - W_{t-1}‖_F over the checkpoints so far"),
        column("straightness", "ratio", "‖D‖_F / path_length; 1 is a straight line"),
        column("step_cosine", "cosine", "between this step update and the one before"),
        column("sim16_end", "share", "‖V_K(D_t)ᵀ V_K(D_T)‖²_F / K, K = 16", OPD),
        column("sim16_end_left", "share", "the same with left singular vectors"),
        column("sim16_chance", "share", "K / n: what two random subspaces give"),
        Column(
            "sim16_k", pa.int64(), "", "K of sim16_end; lowered for small matrices", OURS, "path"
        ),
        column("sim16_disjoint", "share", "‖V_K(D_t)ᵀ V_K(W_T - W_t)‖²_F / K, K = 16"),
        column("sim16_disjoint_chance", "share", "K / n for sim16_disjoint, K as it was used"),
        column("sim16_adjacent", "share", "‖V_K(W_t - W_{t-1})ᵀ V_K(W_{t+1} - W_t)‖²_F / K"),
        column("sim16_adjacent_chance", "share", "K / n for sim16_adjacent, K as it was used"),
        column("kappa_random_walk", "ratio", "1 / sqrt(optimizer steps): Adam, random signs"),
        column("weight_decay_sum", "lr x decay", "sum of learning rate x weight decay so far"),
        column("weight_decay_norm", "weight", "weight_decay_sum ‖W0‖_F: what decay alone moves"),
    ]


def _rotation() -> list[Column]:
    columns = [
        Column(
            "angle_k",
            pa.int64(),
            "",
            "size of the principal subspaces, min(512, p // 2) by default",
            PNT,
            "rotation",
        )
    ]
    for side, basis in (("left", "U"), ("right", "V")):
        columns += [
            Column(
                f"angle_{side}_{statistic}",
                pa.float64(),
                "degrees",
                f"{statistic} principal angle between {basis}_k(W0) and {basis}_k(W1)",
                PNT,
                "rotation",
            )
            for statistic in ("mean", "median", "p95", "max")
        ]
        columns.append(
            Column(
                f"angle_{side}_mean_null",
                pa.float64(),
                "degrees",
                "an isotropic update of that norm, to first order; empty above 30",
                OURS,
                "rotation",
            )
        )
    columns.append(
        Column(
            "spectral_gap",
            pa.float64(),
            "weight",
            "sigma_k(W0) - sigma_{k+1}(W0); flag ill_defined where ‖D‖_2 exceeds half of it",
            OURS,
            "rotation",
        )
    )
    columns.append(
        Column(
            "angle_null_reason",
            pa.string(),
            "",
            "why a null of the angles is empty",
            OURS,
            "rotation",
        )
    )
    return columns


def _shift() -> list[Column]:
    return [
        Column(
            "nss",
            pa.float64(),
            "ratio",
            "‖sigma(W1) - sigma(W0)‖_2 / ‖sigma(W0)‖_2",
            PNT,
            "shift",
        ),
        Column(
            "nss_per_relative_norm",
            pa.float64(),
            "ratio",
            "nss / relative_norm, at most 1 (Mirsky, 1960)",
            OURS,
            "shift",
        ),
        Column(
            "nss_null",
            pa.float64(),
            "ratio",
            "relative_norm / sqrt(max(m, n)): an isotropic update of that norm",
            OURS,
            "shift",
        ),
    ]


def _landing() -> list[Column]:
    def column(name: str, unit: str, formula: str, source: str = OURS) -> Column:
        return Column(name, pa.float64(), unit, formula, source, "landing")

    columns = [column("density", "share", "|M| / (m n) = 1 - update_sparsity")]
    masks = (
        ("principal", "top {alpha} % of |rank-r part of W0|, r = min(64, p // 2) by default"),
        ("low", "bottom {alpha} % of |W0|"),
    )
    for alpha in ALPHAS:
        for mask, entries in masks:
            name, which = f"overlap_{mask}_{alpha}", entries.format(alpha=alpha)
            columns += [
                column(name, "share", f"|M and X| / |M|, X the {which}", PNT),
                column(f"{name}_null", "share", "its mean after permuting D within the matrix"),
                column(f"{name}_null_sd", "share", "its standard deviation over permutations"),
                column(f"{name}_lift", "ratio", f"{name} / {alpha / 100}"),
                column(
                    f"{name}_expected",
                    "share",
                    "sum of m x / n over strata (exponent of W0, mantissa zero or not), over |M|",
                ),
                column(
                    f"{name}_odds_ratio",
                    "ratio",
                    "of changing in X against outside, pooled over strata",
                    "Mantel & Haenszel, 1959",
                ),
                column(f"{name}_z", "", f"({name} - its expectation) / hypergeometric deviation"),
                column(f"{name}_gate", "share", "what an isotropic update of gate_scale gives"),
            ]
        columns += [
            column(f"overlap_{alpha}_lower", "share", "max(0, 1 - (1 - alpha) / density)"),
            column(f"overlap_{alpha}_upper", "share", "min(1, alpha / density)"),
        ]
    columns.append(
        Column(
            "null_reason", pa.string(), "", "why the permutation nulls are empty", OURS, "landing"
        )
    )
    return columns


def _energy() -> list[Column]:
    def column(name: str, formula: str, source: str = OURS) -> Column:
        return Column(name, pa.float64(), "share", formula, source, "energy")

    columns = []
    for k in ENERGY_KS:
        size = "angle_k" if k == "k" else f"min({k}, p)"
        columns += [
            column(f"principal_energy_left_{k}", f"‖U_kᵀ D‖²_F / ‖D‖²_F, k = {size}"),
            column(f"principal_energy_left_{k}_isotropic", "k / m"),
            column(f"principal_energy_right_{k}", f"‖D V_k‖²_F / ‖D‖²_F, k = {size}"),
            column(f"principal_energy_right_{k}_isotropic", "k / n"),
            column(f"principal_energy_{k}", f"‖U_kᵀ D V_k‖²_F / ‖D‖²_F, k = {size}"),
            column(f"principal_energy_{k}_isotropic", "k² / (m n)"),
            column(
                f"principal_energy_{k}_base",
                "W0's own share: sum of sigma_i², i <= k, over ‖W0‖²_F",
            ),
        ]
    for side in ("left", "right"):
        columns.append(
            Column(
                f"principal_energy_{side}_bands",
                pa.list_(pa.float64()),
                "share",
                f"share of ‖D‖²_F by eighth of W0's top-k {side} singular vectors, then the rest",
                OURS,
                "energy",
            )
        )
    return columns


def _spectrum() -> list[Column]:
    def column(name: str, unit: str, formula: str, source: str = OURS) -> Column:
        return Column(name, pa.float64(), unit, formula, source, "spectrum")

    columns = [
        column("sigma_1", "weight", "largest singular value of D"),
        column("stable_rank", "", "‖D‖²_F / s_1²", f"Rudelson & Vershynin, 2007; {OPD}"),
        column("participation_ratio", "", "(sum s_i²)² / sum s_i⁴"),
        column("effective_rank", "", "exp(entropy of s_i² / sum s²)", "Roy & Vetterli, 2007"),
    ]
    columns += [
        column(f"top{k}_energy", "share", f"sum of s_i², i <= {k}, over sum s²")
        for k in TOP_ENERGIES
    ]
    for order in HILL_ORDERS:
        k = "ceil(p / 20)" if order == "5pct" else order
        columns += [
            column(
                f"hill_{order}",
                "",
                f"[mean of log(s_i / s_k), i < k]⁻¹, k = {k}",
                f"Hill, 1975; {OPD}",
            ),
            column(f"hill_{order}_se", "", f"hill_{order} / sqrt(k - 1)"),
        ]
    columns += [
        column("noise_floor", "weight", "std of the storage rounding error x (sqrt m + sqrt n)"),
        column("noise_share", "", "energy of that rounding error over ‖D‖²_F"),
        Column(
            "resolved_rank",
            pa.int64(),
            "",
            "singular values of D above noise_floor",
            OURS,
            "spectrum",
        ),
        Column(
            "reliability",
            pa.string(),
            "",
            "16 bits: caution if noise_share > .2, under 50 % visible, poor under 15 %; FP8: poor",
            OURS,
            "spectrum",
        ),
    ]
    return columns


def _lock() -> list[Column]:
    def column(name: str, unit: str, formula: str) -> Column:
        return Column(name, pa.float64(), unit, formula, OURS, "lock")

    captured = "(‖R V‖² / ‖R‖² - K / n) / (best K directions of R - K / n)"
    return [
        column("capture16", "ratio", f"{captured}, V = V_K(D_t), R = W_T - W_{{t+1}}, K = 16"),
        column("capture16_left", "ratio", "the same with left singular vectors and K / m"),
        column("rest_energy", "share", "‖W_T - W_{t+1}‖² / ‖D_T‖²"),
        column("rest_over_noise", "ratio", "‖W_T - W_{t+1}‖² / (sum of both ulp² / 12)"),
        Column("lock_counts", pa.int64(), "", "1 where the rest is enough to judge by, else 0",
               OURS, "lock"),
        Column("lock_step", pa.int64(), "optimizer steps",
               "t*: first counted step from which capture16 stays at or above its threshold",
               OURS, "lock"),
    ]  # fmt: skip


def _inputs() -> list[Column]:
    def column(name: str, unit: str, formula: str) -> Column:
        return Column(name, pa.float64(), unit, formula, OURS, "inputs")

    random = "random updates Z C^{1/2} with the matrix's rows"
    return [
        column("input_overlap16", "share", "‖U_Kᵀ V_K(D)‖²_F / K, U_K the top K of C, K = 16"),
        column("input_overlap16_chance", "share", "K / n"),
        column("input_overlap16_null", "share", f"the mean of {random}"),
        column("input_energy16", "share", "‖D U_K‖²_F / ‖D‖²_F"),
        column("input_energy16_chance", "share", "K / n"),
        column("input_energy16_null", "share", f"share of tr(C) in its top K: {random}"),
        column("sim16_input_null", "share", f"Sim_K of two {random}, mean over pairs"),
        column("sim16_input_null_se", "share", "its standard error, by a jackknife over draws"),
        column("input_drift16", "share", "1 - Sim_K of the top K of C in W0 and in W_T"),
        column("capture16_by_inputs", "ratio",
               "capture16 with V = V_K(Z C^{1/2}) in place of V_K(D_t), mean over draws"),
        column("capture16_input_null", "ratio",
               f"capture of one by another of {random}, mean over pairs"),
        column("capture16_input_null_se", "ratio", "its standard error, by a jackknife over draws"),
        Column("inputs_reason", pa.string(), "", "why the inputs of this matrix are not known",
               OURS, "inputs"),
    ]  # fmt: skip


COLUMNS: tuple[Column, ...] = tuple(
    _identity()
    + _certificate()
    + _visibility()
    + _size()
    + _path()
    + _rotation()
    + _shift()
    + _landing()
    + _energy()
    + _spectrum()
    + _lock()
    + _inputs()
)
BY_NAME: dict[str, Column] = {column.name: column for column in COLUMNS}
METRICS: tuple[str, ...] = tuple(column.name for column in COLUMNS if column.is_metric)


@cache
def schema(columns: tuple[Column, ...] = COLUMNS) -> pa.Schema:
    """Parquet schema of a table, with each column's unit and formula as field metadata."""
    return pa.schema(
        [
            pa.field(
                column.name,
                column.type,
                metadata={"unit": column.unit, "formula": column.formula, "source": column.source},
            )
            for column in columns
        ]
    )
