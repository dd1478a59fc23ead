import numpy as np
import pytest
import torch

from hodograph.matrices.bits import (
    MAGNITUDES,
    PIECE,
    bits_of,
    changed_bits,
    count_base,
    count_changed,
    count_finite_changes,
    take_census,
)


def every_finite_bfloat16():
    bits = torch.arange(-(2**15), 2**15, dtype=torch.int32).to(torch.int16)
    values = bits.view(torch.bfloat16).float()
    return values[torch.isfinite(values)]


def changed(base, tuned):
    return changed_bits(bits_of(base), bits_of(tuned))


def test_stored_bfloat16_is_not_copied():
    weights = torch.randn(5, 4).to(torch.bfloat16)
    assert bits_of(weights).ctypes.data == weights.data_ptr()
    assert np.array_equal(bits_of(weights.float()), bits_of(weights))


def test_neighbours_are_one_ulp_apart_over_the_whole_line():
    values = every_finite_bfloat16().unique()  # -0 and +0 are one number
    census = take_census(count_base(values[:-1]), values[1:])
    assert census.moves.tolist() == [0, len(values) - 1] + [0] * 8


@pytest.mark.parametrize("eta", [1e-6, 1e-3, 2**-8 * 0.999])
def test_any_relative_tolerance_below_an_ulp_gives_the_same_answer(eta):
    values = every_finite_bfloat16().unique().double()
    a, b = values[:-1], values[1:]
    tolerant = (a - b).abs() > eta * torch.maximum(a.abs(), b.abs())
    assert np.array_equal(tolerant.numpy(), changed(a.float(), b.float()))
    assert not changed(a.float(), a.float()).any()


def test_at_2_to_the_minus_8_the_tolerance_begins_to_matter():
    magnitudes = every_finite_bfloat16().unique().double().abs().unique()
    gap = (magnitudes[1:] - magnitudes[:-1]) / magnitudes[1:]
    assert float(gap.min()) == 2**-8
    powers = torch.log2(magnitudes[1:][gap == 2**-8])
    assert bool((powers == powers.round()).all())  # attained just below the powers of two
    assert len(powers) == 253  # of the exponents 2 to 254, every one


def test_both_zeros_are_one_number():
    assert not changed(torch.tensor([0.0, -0.0]), torch.tensor([-0.0, 0.0])).any()
    assert changed(torch.tensor([0.0, -0.0]), torch.tensor([1e-40, 1.0])).all()


def test_the_census_of_many_pieces_is_that_of_plain_definitions():
    generator = torch.Generator().manual_seed(0)
    base = torch.randn(2 * PIECE + 77, generator=generator) * 0.02
    base[::1000] = 0.0
    tuned = base + torch.randn(len(base), generator=generator) * 1e-4
    census = take_census(count_base(base), tuned)
    a, b = base.to(torch.bfloat16), tuned.to(torch.bfloat16)
    magnitude = a.abs().view(torch.int16).long()
    assert np.array_equal(census.entries_X, torch.bincount(magnitude, minlength=1 << 15).numpy())
    moved = magnitude[a != b]
    assert np.array_equal(census.changed_X, torch.bincount(moved, minlength=1 << 15).numpy())
    assert census.sign_flips == int((a.double() * b.double() < 0).sum())
    assert census.moves.sum() == len(base)
    assert census.finite
    assert np.array_equal(changed(base, tuned), (a != b).numpy())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_grades_are_counted_apart(dtype):
    generator = torch.Generator().manual_seed(1)
    base = (torch.randn(2 * PIECE + 9, generator=generator) * 0.02).to(dtype)
    tuned = base + (torch.randn(len(base), generator=generator) * 1e-4).to(dtype)
    grade = torch.randint(3, (len(base),), generator=generator)
    census = take_census(count_base(base, grade.numpy().astype(np.uint8), 3), tuned)
    a, b = base.to(torch.bfloat16), tuned.to(torch.bfloat16)
    key = a.abs().view(torch.int16).long() + grade * MAGNITUDES
    for counts, keys in ((census.entries_GX, key), (census.changed_GX, key[a != b])):
        expected = torch.bincount(keys, minlength=3 * MAGNITUDES).reshape(3, MAGNITUDES)
        assert np.array_equal(counts, expected.numpy())


def test_distances_over_the_whole_line():
    values = every_finite_bfloat16().unique()  # in their order, so that ranks are distances
    other = torch.randperm(len(values), generator=torch.Generator().manual_seed(2))
    census = take_census(count_base(values), values[other])
    distance = (other - torch.arange(len(values))).abs().clamp(max=9)
    assert census.moves.tolist() == torch.bincount(distance, minlength=10).tolist()


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_what_is_not_finite_is_seen_on_either_side(bad, dtype):
    good = torch.ones(PIECE + 5, dtype=dtype)
    spoilt = good.clone()
    spoilt[-1] = bad
    for base, tuned in ((good, spoilt), (spoilt, good), (spoilt, spoilt)):
        assert count_finite_changes(base, tuned) is None
        assert not take_census(count_base(base), tuned).finite
    assert count_finite_changes(good, good) == 0


def test_counting_alone_agrees_where_exponents_and_zeros_are_mixed():
    base = torch.tensor([1.9921875, 0.0, -0.0, 0.0, 3.0, -1e38])  # the first crosses into 2
    tuned = torch.tensor([2.0, -0.0, 0.0, 1e-38, -3.0, 1e38])
    expected = count_changed(bits_of(base), bits_of(tuned))
    assert count_finite_changes(base, tuned) == expected == 4


def test_nothing_is_counted_in_nothing():
    assert take_census(count_base(torch.empty(0)), torch.empty(0)).moves.sum() == 0
    assert changed(torch.empty(0), torch.empty(0)).shape == (0,)


def around_every_rounding():
    """Float32 patterns at, just below and just above every bfloat16 number and every midpoint."""
    high = torch.arange(1 << 16, dtype=torch.int64) << 16
    low = torch.tensor([0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF])
    return (high[:, None] | low).flatten().to(torch.int32).view(torch.float32)


def test_float32_is_rounded_as_torch_rounds_it():
    wide = around_every_rounding()
    wide = wide[torch.isfinite(wide.bfloat16())]
    shifted = wide.roll(1)
    differing = int((wide.bfloat16() != shifted.bfloat16()).sum())
    assert count_finite_changes(wide, shifted) == differing > 0
    assert count_finite_changes(wide, wide.bfloat16().float()) == 0


def test_every_pattern_that_is_not_finite_in_bfloat16_is_seen():
    wide = around_every_rounding()
    for bad in wide[~torch.isfinite(wide.bfloat16())][::97]:
        assert count_finite_changes(torch.ones(3), torch.stack([torch.ones(()), bad, bad])) is None
    largest = torch.tensor([3.3895313892515355e38, -3.3895313892515355e38])  # of bfloat16
    assert count_finite_changes(largest, -largest) == 2


@pytest.mark.parametrize("entries", [0, 1, 2, 31, 33, 4097])
@pytest.mark.parametrize("tuned", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("base", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_counts_of_any_storage_and_length_are_those_of_plain_definitions(base, tuned, entries):
    generator = torch.Generator().manual_seed(entries)
    before = (torch.randn(entries, generator=generator) * 1e-3).to(base)
    after = (before.double() * 1.004).to(tuned)
    before[::5], after[::5] = 0.0, -0.0
    before[1::7], after[1::7] = 1e-40, -1e-40  # subnormal in bfloat16, zero in float16
    a, b = before.bfloat16(), after.bfloat16()
    assert count_finite_changes(before, after) == int((a != b).sum())
    census = take_census(count_base(before), after)
    assert census.changed_X.sum() == int((a != b).sum()) == count_changed(bits_of(a), bits_of(b))
    assert census.sign_flips == int((a.double() * b.double() < 0).sum())
    assert np.array_equal(changed(before, after), (a != b).numpy())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_weights_may_lie_at_any_byte_and_in_any_order(dtype):
    weights = torch.randn(33, generator=torch.Generator().manual_seed(4)).to(dtype)
    file = bytearray(b"-" + weights.view(torch.uint8).numpy().tobytes())
    odd = torch.frombuffer(file, dtype=dtype, offset=1, count=33)
    assert odd.data_ptr() % dtype.itemsize
    assert count_finite_changes(odd, weights) == 0
    assert take_census(count_base(odd), odd).moves[0] == 33
    square = weights[:25].reshape(5, 5)
    differing = int((square.T.bfloat16() != square.bfloat16()).sum())
    assert count_finite_changes(square.T, square) == differing == 20


def test_lengths_that_differ_are_refused():
    for dtype in (torch.bfloat16, torch.float32):
        long, short = torch.ones(9, dtype=dtype), torch.ones(8, dtype=dtype)
        for count in (count_finite_changes, lambda a, b: take_census(count_base(a), b)):
            with pytest.raises(ValueError, match="9 entries against 8"):
                count(long, short)
