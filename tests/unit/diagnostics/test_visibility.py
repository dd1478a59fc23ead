import math

import numpy as np
import pytest
import torch

from hodograph.diagnostics.visibility import look, sparsity, visibility
from hodograph.matrices.bits import count_base


def moved_by(base, ulps):
    bits = base.to(torch.bfloat16).view(torch.int16) + torch.tensor(ulps, dtype=torch.int16)
    return bits.view(torch.bfloat16)


def test_counts_planted_ulp_moves():
    base = torch.full((1, 10), 0.02).to(torch.bfloat16)
    columns = visibility(base, moved_by(base, [0, 0, 0, 1, -1, 2, 3, 4, 8, 9]))
    assert columns["update_sparsity"] == pytest.approx(0.3)
    assert columns["density"] == pytest.approx(0.7)
    shares = [columns[f"ulp_{n}"] for n in ("0", "1", "2", "3_4", "5_8", "over_8")]
    assert shares == pytest.approx([0.3, 0.2, 0.1, 0.2, 0.1, 0.1])


def test_sees_through_bfloat16_whatever_the_storage():
    base = torch.ones(1, 4)
    tuned = base + torch.tensor([0.0, 2**-10, 2**-7, -(2**-8)])  # none, sub-ULP, one up, one down
    columns = visibility(base, tuned)
    assert columns["update_sparsity"] == 0.5
    assert columns["update_sparsity_native_dtype"] == 0.25


def test_counts_sign_flips_but_not_zeros():
    base, tuned = torch.tensor([[1.0, -1.0, 0.0, -0.0]]), torch.tensor([[-1.0, -1.0, 1.0, 0.0]])
    columns = visibility(base, tuned)
    assert columns["sign_flips"] == 0.25
    assert columns["update_sparsity"] == 0.5


def test_visibility_curve_counts_by_exponent_of_the_base():
    base, tuned = torch.tensor([[1.0, 1.5, 2.0, 0.0]]), torch.tensor([[1.0, 1.75, 2.5, 0.0]])
    columns = visibility(base, tuned)
    assert columns["exponents"] == [0, 127, 128]
    assert columns["exponent_entries"] == [1, 2, 1]
    assert columns["exponent_changed"] == [0, 1, 1]


def test_nonfinite_entries_are_counted_apart():
    base = torch.tensor([[1.0, math.nan, 1.0, math.inf]])
    tuned = torch.tensor([[1.0, math.nan, 2.0, math.inf]])
    columns = visibility(base, tuned)
    assert columns["nonfinite"] == 2
    assert columns["update_sparsity"] == 0.5
    assert visibility(base * math.nan, tuned) == {"nonfinite": 4}
    assert sparsity(base, tuned) == {"update_sparsity": 0.5, "density": 0.5, "nonfinite": 2}


def test_weights_that_round_to_infinity_are_finite():
    base, tuned = torch.tensor([[1.0, 1.0, 3.4e38]]), torch.tensor([[1.0, 3.4e38, 3.4e38]])
    visible = look(count_base(base, np.array([0, 1, 1], np.uint8), 2), tuned)
    assert visible.columns["nonfinite"] == 0
    assert visible.columns["density"] == pytest.approx(1 / 3)
    assert visible.census.changed_GX.sum(axis=1).tolist() == [0, 1]
    assert sparsity(base, tuned)["density"] == pytest.approx(1 / 3)


@pytest.mark.parametrize("dtypes", [("bfloat16", "bfloat16"), ("float32", "bfloat16")])
def test_stored_values_are_compared_as_stored(dtypes):
    pair = torch.tensor([[1.0, 0.0, 2.0]]), torch.tensor([[1.0, -0.0, 3.0]])
    base, tuned = (one.to(getattr(torch, name)) for one, name in zip(pair, dtypes, strict=True))
    assert visibility(base, tuned)["update_sparsity_native_dtype"] == pytest.approx(2 / 3)
