import numpy as np
import pytest

from hodograph.statistics.matching import Curve, matched


def along(norms, function):
    return Curve(list(norms), [function(norm) for norm in norms])


FUNCTIONS = [
    lambda d: 60 * d,  # an angle
    lambda d: 1 / (1 + 60 * d),  # a sparsity
    lambda d: 0.3 - 0.1 * np.exp(-200 * d),  # an overlap
]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_two_runs_on_one_curve_do_not_differ_at_equal_norm(function):
    short = along(np.linspace(0.001, 0.006, 6), function)
    long = along(np.linspace(0.0022, 0.0132, 6), function)
    found = matched(short, long)
    apart = abs(function(0.0132) - function(0.006))
    assert found.norm == 0.006
    assert abs(found.difference) < 0.01 * apart
    assert abs(found.difference) < found.doubt + 1e-9


def test_an_offset_is_found_whole_and_with_its_sign():
    short = along(np.linspace(0.001, 0.006, 6), FUNCTIONS[1])
    long = along(np.linspace(0.0022, 0.0132, 6), lambda d: FUNCTIONS[1](d) + 0.05)
    assert matched(short, long).difference == pytest.approx(0.05, abs=2e-3)
    assert matched(long, short).difference == pytest.approx(-0.05, abs=2e-3)


def test_at_a_checkpoint_of_both_nothing_is_interpolated():
    first, second = Curve([0.1, 0.2, 0.4], [5.0, 6.0, 7.0]), Curve([0.1, 0.2], [1.0, 3.0])
    found = matched(first, second)
    assert (found.norm, found.difference, found.doubt) == (0.2, -3.0, 0.0)


def test_ranges_that_do_not_overlap_are_not_extrapolated():
    assert matched(Curve([0.1, 0.2], [1, 2]), Curve([0.21, 0.4], [1, 2])) is None
    assert matched(Curve([0.21, 0.4], [1, 2]), Curve([0.1, 0.2], [1, 2])) is None


def test_single_checkpoints_compare_only_at_one_norm():
    assert matched(Curve([0.1], [1.0]), Curve([0.1], [4.0])).difference == 3.0
    assert matched(Curve([0.1], [1.0]), Curve([0.2], [4.0])) is None


def test_a_norm_counts_where_it_is_first_reached():
    there_and_back = Curve([0.1, 0.3, 0.2, 0.4], [1.0, 3.0, 99.0, 4.0])
    norms_T, values_T = there_and_back.first_reached()
    assert norms_T.tolist() == [0.1, 0.3, 0.4]
    assert values_T.tolist() == [1.0, 3.0, 4.0]


def test_checkpoints_without_update_or_value_are_left_out():
    curve = Curve([0.0, float("nan"), 0.2, 0.3], [1.0, 2.0, float("nan"), 5.0])
    assert [values.tolist() for values in curve.first_reached()] == [[0.3], [5.0]]
    assert matched(curve, Curve([0.0], [1.0])) is None
