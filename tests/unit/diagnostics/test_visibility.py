import math

import pytest
import torch

from hodograph.diagnostics.visibility import visibility


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
