import numpy as np
import pytest
import torch

from hodograph.matrices.precision import on_bfloat16_grid, to_bfloat16, ulp


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
    got = ulp(torch.from_numpy(values), dtype)
    expected = np.spacing(np.abs(values)).astype("float64")
    assert got.tolist() == expected.tolist()


def test_ulp_of_bfloat16_is_the_step_to_the_next_number():
    values = every_finite_bfloat16().unique()
    positive = values[values >= 0]
    steps = positive.double().diff()
    assert torch.equal(ulp(positive[:-1], "bfloat16"), steps)


def test_on_bfloat16_grid():
    assert on_bfloat16_grid(torch.tensor([1.0, 0.5, -0.0]))
    assert not on_bfloat16_grid(torch.tensor([1.0, 1.0001]))
