"""From rows of gates to the numbers of a verdict."""

import pytest

from hodograph.tables.gates import GATE_COLUMNS
from hodograph.tables.gates_summary import summarise_gates
from hodograph.tables.store import table_of, to_frame

WHOLE = {
    "prompts": 5, "kl_to_anchor": 0.04, "kl_to_anchor_se": 0.002, "kl_step": 0.001,
    "kl_step_se": 1e-4, "kl_step_length": 10, "quadratic": 0.05, "quadratic_isotropic": 0.01,
    "quadratic_isotropic_se": 1e-3, "relative_norm_model": 0.02,
}  # fmt: skip


def frame_of(rows):
    about = {"parameter": "p", "module": "q_proj", "rows": 4, "cols": 4}
    return to_frame(table_of([about | row for row in rows], GATE_COLUMNS))


def ranks(layer, shared, per_token, step=10):
    name = "gradient_effective_rank"
    return {
        "layer": layer, "step": step, f"{name}_shared": shared, f"{name}_per_token": per_token,
    } | WHOLE  # fmt: skip


def test_differences_are_taken_matrix_by_matrix():
    """The one matrix without shared coefficients has no part in the difference."""
    rows = [ranks(0, 1.0, 3.0), ranks(1, 2.0, 5.0), ranks(2, None, 100.0)]
    (found,) = summarise_gates(frame_of(rows), 0)
    two = found["II"]
    assert two["effective_rank_shared"]["value"] == 1.5
    assert two["effective_rank_per_token"]["value"] == 36
    assert (two["difference"]["value"], two["difference"]["n"]) == (2.5, 2)
    assert two["difference"]["low"] <= 2.5 <= two["difference"]["high"]


def test_the_bound_is_the_norm_an_isotropic_update_may_have():
    """Four times its own divergence allows twice the norm."""
    (found,) = summarise_gates(frame_of([ranks(0, 1.0, 1.0)]), 0)
    assert found["I"]["bound"]["value"] == pytest.approx(0.02 * 2)
    assert found["I"]["relative_norm"]["value"] == 0.02
    assert found["I"]["kl_step"]["steps"] == 10
    interval = found["I"]["kl_to_anchor"]
    assert interval["high"] - interval["value"] == pytest.approx(2.776445 * 0.002, rel=1e-6)


def test_curves_of_matrices_add_up_by_exponent():
    curve = {"layer": 0, "step": 10, "exponents": [120, 121], "exponent_entries": [10, 30],
             "exponent_changed": [5, 3], "exponent_gate": [0.4, 0.2]}  # fmt: skip
    other = curve | {"exponents": [121, 122], "exponent_changed": [1, 0], "layer": 1}
    permuted = {"exponent_permuted": [0.5, 0.1]}
    rows = [WHOLE | curve | permuted, WHOLE | other | permuted]
    (found,) = summarise_gates(frame_of(rows), 0)
    first, second, _ = found["III"]["curve"]
    assert (first["exponent"], first["entries"], first["observed"]) == (120, 10, 0.5)
    assert (second["entries"], second["observed"]) == (40, 4 / 40)
    assert second["predicted"] == pytest.approx((30 * 0.2 + 10 * 0.4) / 40)
    assert second["permuted"] == pytest.approx((30 * 0.1 + 10 * 0.5) / 40)
    (rounded,) = summarise_gates(frame_of([WHOLE | curve, WHOLE | other | permuted]), 0)
    assert {one["permuted"] for one in rounded["III"]["curve"]} == {None}


def test_steps_ascend_and_what_is_not_known_is_empty():
    rows = [ranks(0, None, None, step) | {"quadratic_isotropic": 0.0} for step in (20, 10)]
    first, second = summarise_gates(frame_of(rows), 0)
    assert (first["step"], second["step"]) == (10, 20)
    assert first["I"]["bound"]["value"] is None
    assert first["II"]["effective_rank_shared"] == {
        "value": None,
        "low": None,
        "high": None,
        "n": 0,
    }
    assert first["III"]["curve"] == []
