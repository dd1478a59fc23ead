"""Columns of `gates.parquet`: the three-gate account of a run, one row a matrix and checkpoint.

Letters: W0 base, D = W_t - W0, F the Fisher information of the policy W0 (a token, mean over its
own samples), G the gradient of the sum of coefficient x log-probability over a batch of W_t's own
samples, C its second moment over samples, k = 16 principal directions of W0, b(.) rounding to
bfloat16.
"""

import pyarrow as pa

from hodograph.tables.columns import OPD, OURS, PNT, Column, Family
from hodograph.tables.store import Kind

KINDS = {
    "shared": "the group-normalised reward, one for all tokens of a sample",
    "per_token": "-r_t, the teacher's log-ratio of each token",
    "shared_permuted": "the rewards of `shared`, permuted over samples",
    "per_token_permuted": "the log-ratios of `per_token`, permuted over tokens",
    "shared_signs": "random signs, one a sample",
    "per_token_signs": "random signs, one a token",
}
IN_THE_MODEL = "of the whole model, so equal in all rows of a step"


def _column(
    name: str, unit: str, formula: str, family: Family, source: str = OURS, kind: str = "float64"
) -> Column:
    types = {"float64": pa.float64(), "int64": pa.int64(), "string": pa.string()}
    return Column(name, types[kind], unit, formula, source, family)


def _identity() -> list[Column]:
    columns = (
        ("parameter", "string", "", "name of the stored tensor in the base"),
        ("layer", "int64", "", "index of the transformer layer; empty outside the layers"),
        ("module", "string", "", "q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, ..."),
        ("expert", "int64", "", "index of the expert; empty in dense layers"),
        ("step", "int64", "optimizer steps", "step of the checkpoint"),
        ("rows", "int64", "", "output dimension m of the matrix"),
        ("cols", "int64", "", "input dimension n of the matrix"),
        ("prompts", "int64", "", "prompts answered by W_t; one group of samples each"),
        ("samples", "int64", "", "completions of W_t"),
        ("tokens", "int64", "", "tokens of these completions"),
        ("reason", "string", "", "why curvatures and gradients are empty for this matrix"),
    )
    return [_column(n, unit, formula, "identity", kind=kind) for n, kind, unit, formula in columns]


def _leash() -> list[Column]:
    def column(name: str, unit: str, formula: str, source: str = OURS) -> Column:
        return _column(name, unit, formula, "leash", source)

    nats = "nats a token"
    return [
        column("kl_to_anchor", nats, f"KL(W_t ‖ W0) on W_t's own samples, {IN_THE_MODEL}", PNT),
        column("kl_to_anchor_se", nats, "its standard error over prompts"),
        column("kl_step", nats, "KL(W_t ‖ the checkpoint before) on W_t's own samples", PNT),
        column("kl_step_se", nats, "its standard error over prompts"),
        _column("kl_step_length", "optimizer steps", "from the checkpoint before", "leash",
                kind="int64"),
        column("kl_from_anchor", nats, "KL(W0 ‖ W_t) on W0's own samples, the whole model"),
        column("kl_from_anchor_se", nats, "its standard error over prompts"),
        column("quadratic", nats, "Dᵀ F D / 2, D all of the model's update; on W0's samples", PNT),
        column("quadratic_isotropic", nats,
               "the same, mean over random updates, isotropic in each tensor with D's norm there"),
        column("quadratic_isotropic_se", nats, "its standard error over these updates"),
        column("relative_norm_model", "ratio", "‖D‖ / ‖W0‖ over all parameters of the model"),
        column("curvature", "nats a token / weight²", "Dᵀ F D / ‖D‖², only this matrix moved"),
        column("curvature_isotropic", "nats a token / weight²",
               "tr F / (m n): the mean over isotropic updates of this matrix"),
        column("curvature_inputs", "nats a token / weight²",
               "the mean over random updates with the layer's inputs: Z C^{1/2}, C = sum of x xᵀ"),
        column("curvature_ratio", "ratio", "curvature / curvature_isotropic"),
        column("curvature_ratio_se", "ratio", "its standard error over prompts"),
        column("curvature_ratio_inputs", "ratio", "curvature_inputs / curvature_isotropic"),
    ]  # fmt: skip


def _gradient() -> list[Column]:
    quantities = (
        ("gradient_effective_rank", "", "effective rank of G"),
        ("covariance_effective_rank", "", "effective rank of C = sum over samples of G_bᵀ G_b"),
        ("gradient_energy_right", "share", "‖G V_k‖² / ‖G‖²"),
        ("gradient_energy_left", "share", "‖U_kᵀ G‖² / ‖G‖²"),
        ("covariance_energy_right", "share", "tr(V_kᵀ C V_k) / tr C"),
    )
    columns = [
        _column(f"{name}_{kind}", unit, f"{formula}; coefficients: {said}", "gradient",
                OPD if kind in ("shared", "per_token") else OURS)
        for name, unit, formula in quantities
        for kind, said in KINDS.items()
    ]  # fmt: skip
    columns += [
        _column("gradient_energy_k", "", "k, 16 or fewer", "gradient", kind="int64"),
        _column("gradient_energy_right_isotropic", "share", "k / n", "gradient"),
        _column("gradient_energy_left_isotropic", "share", "k / m", "gradient"),
        _column("gradient_energy_right_inputs", "share",
                "tr(V_kᵀ C_x V_k) / tr C_x, C_x = sum of x xᵀ over the layer's inputs", "gradient"),
        _column("gradient_energy_left_errors", "share",
                "the same on the left with output errors e for the inputs, random signs a token",
                "gradient"),
        _column("signal_shared", "share", "samples whose reward coefficient is not zero",
                "gradient"),
        _column("reward", "", "mean reward of the samples", "gradient"),
    ]  # fmt: skip
    return columns


def _visible() -> list[Column]:
    names = {
        "visibility_deviation": "mean over entries of |share changed - gate's prediction|, by"
        " exponent of W0",
        "visibility_largest": "the largest such difference, of exponents with 1 % of the entries",
    }
    columns = []
    for name, formula in names.items():
        columns += [
            _column(name, "share", formula, "visible"),
            _column(f"{name}_null", "share", f"{name} of Gaussian updates of gate_scale, mean",
                    "visible"),
            _column(f"{name}_permuted", "share", f"{name} after permuting D in the matrix, mean",
                    "visible"),
        ]  # fmt: skip
    for name, formula in (
        ("exponents", "biased bfloat16 exponents of W0 that occur, ascending"),
        ("exponent_entries", "entries of W0 with that exponent"),
        ("exponent_changed", "those of them that visibly changed"),
    ):
        columns.append(Column(name, pa.list_(pa.int64()), "entries", formula, OURS, "visible"))
    for name, formula in (
        ("exponent_gate", "share of them that an isotropic update of this density changes"),
        ("exponent_permuted", "share of them that changes after permuting D, mean"),
    ):
        columns.append(Column(name, pa.list_(pa.float64()), "share", formula, OURS, "visible"))
    return columns


GATE_COLUMNS: tuple[Column, ...] = tuple(_identity() + _leash() + _gradient() + _visible())
GATE_BY_NAME: dict[str, Column] = {column.name: column for column in GATE_COLUMNS}
GATE_METRICS: tuple[str, ...] = tuple(column.name for column in GATE_COLUMNS if column.is_metric)
GATES = Kind("account of the gates", "gates", "gates.parquet", "gates.json", GATE_COLUMNS)
