import math

import numpy as np
import pytest
import torch

from hodograph.matrices.precision import (
    exponents,
    on_bfloat16_grid,
    ordered_bits,
    to_bfloat16,
    ulp,
    visibly_changed,
)


def every_finite_bfloat16():
    bits = torch.arange(-(2**15), 2**15, dtype=torch.int32).to(torch.int16)
    values = bits.view(torch.bfloat16).float()
    return values[torch.isfinite(values)]


def test_rounding_is_to_nearest_even():
    one, up = 1.0, 1.0 + 2**-7
    values = torch.tensor([one + 2**-8, up + 2**-8, one + 2**-8 + 2**-20, -one - 2**-8])
    assert to_bfloat16(values).tolist() == [one, 1 + 2 * 2**-7, up, -one]


def test_ordered_bits_count_the_numbers_between():
    values = every_finite_bfloat16().unique()  # -0 and +0 are one number
    assert (ordered_bits(values).diff() == 1).all()


def test_both_zeros_are_one_number():
    assert not visibly_changed(torch.tensor([0.0]), torch.tensor([-0.0])).any()


@pytest.mark.parametrize("eta", [1e-6, 1e-3, 2**-8 * 0.999])
def test_any_relative_tolerance_below_an_ulp_gives_the_same_answer(eta):
    values = every_finite_bfloat16().unique().double()
    # flush nothing: subnormals differ by far more than eta relatively
    a, b = values[:-1], values[1:]
    tolerant = (a - b).abs() > eta * torch.maximum(a.abs(), b.abs())
    assert torch.equal(tolerant, visibly_changed(a.float(), b.float()))
    same = (values - values).abs() > eta * values.abs()
    assert torch.equal(same, visibly_changed(values.float(), values.float()))


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


def test_exponents_are_floor_log2():
    values = torch.tensor([1.0, 1.99, 0.5, -4.0, 0.02])
    expected = [127 + math.floor(math.log2(abs(v))) for v in values.tolist()]
    assert exponents(values).tolist() == expected


def test_on_bfloat16_grid():
    assert on_bfloat16_grid(torch.tensor([1.0, 0.5, -0.0]))
    assert not on_bfloat16_grid(torch.tensor([1.0, 1.0001]))
