import numpy as np
import pytest
import torch

from hodograph.matrices.precision import (
    all_entries_finite,
    on_bfloat16_grid,
    squared_ulps,
    to_bfloat16,
)


def every_finite_bfloat16():
    bits = torch.arange(-(2**15), 2**15, dtype=torch.int32).to(torch.int16)
    values = bits.view(torch.bfloat16).float()
    return values[torch.isfinite(values)]


def test_rounding_is_to_nearest_even():
    one, up = 1.0, 1.0 + 2**-7
    values = torch.tensor([one + 2**-8, up + 2**-8, one + 2**-8 + 2**-20, -one - 2**-8])
    assert to_bfloat16(values).tolist() == [one, 1 + 2 * 2**-7, up, -one]


@pytest.mark.parametrize("dtype", ["float32", "float16", "float64"])
def test_ulp_is_numpys_spacing(dtype):
    values = np.array([1.0, 1.5, 0.1, -3.0, 1e-3, 7.9, 2.0**-14, 0.0], dtype=dtype)
    expected = np.spacing(np.abs(values)).astype("float64") ** 2
    got = [squared_ulps(torch.from_numpy(values[i : i + 1]), dtype) for i in range(len(values))]
    assert got == expected.tolist()
    assert squared_ulps(torch.from_numpy(values), dtype) == pytest.approx(expected.sum(), rel=1e-15)


def test_ulp_of_bfloat16_is_the_step_to_the_next_number():
    values = every_finite_bfloat16().unique()
    positive = values[values >= 0]
    steps = positive.double().diff()
    for value, step in zip(positive[:-1:37], steps[::37].tolist(), strict=True):
        assert squared_ulps(value.reshape(1), "bfloat16") == step**2


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_one_entry_that_is_not_finite_is_found(bad, dtype):
    weights = torch.randn(50, 70, generator=torch.Generator().manual_seed(0)).to(dtype)
    assert all_entries_finite(weights)
    weights[31, 64] = bad
    assert not all_entries_finite(weights)
    assert all_entries_finite(weights[:0])


def test_on_bfloat16_grid():
    assert on_bfloat16_grid(torch.tensor([1.0, 0.5, -0.0]))
    assert not on_bfloat16_grid(torch.tensor([1.0, 1.0001]))
