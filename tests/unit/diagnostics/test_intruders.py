import pytest
import torch

from conftest import orthonormal
from hodograph.diagnostics.intruders import intruders
from hodograph.linalg.factor import factor

ROWS, COLS = 40, 20
LEFT, RIGHT = orthonormal(ROWS, ROWS, 0), orthonormal(COLS, COLS, 1)
SIGMA = torch.linspace(3, 1, COLS, dtype=torch.float64)
BASE = (LEFT[:, :COLS] * SIGMA) @ RIGHT.T


def found(tuned, base=BASE):
    return intruders(factor(base, min(base.shape)), factor(tuned, 10), "a")


def mixed(directions, count):
    """A unit vector with cosine 1 / sqrt(count) to `count` of the directions."""
    return directions[:, :count].sum(dim=1) / count**0.5


def test_w0_itself_has_none():
    assert found(BASE) == {
        "intruder_top": 10,
        "intruders_left_a": 0,
        "intruder_energy_left_a": 0,
        "intruders_right_a": 0,
        "intruder_energy_right_a": 0,
    }


def test_a_planted_intruder_on_both_sides_and_its_energy():
    spike = 100.0
    new = spike * torch.outer(LEFT[:, -1], mixed(RIGHT, 16))  # cosines 0 and 1 / 4
    columns = found(BASE + new)
    assert (columns["intruders_left_a"], columns["intruders_right_a"]) == (1, 1)
    share = spike**2 / (spike**2 + float(SIGMA.square().sum()))
    assert columns["intruder_energy_left_a"] == pytest.approx(share, rel=2e-3)


@pytest.mark.parametrize(("count", "intrudes"), [(3, 0), (5, 1)])
def test_the_threshold_is_a_cosine_of_one_half(count, intrudes):
    """1 / sqrt(3) is above .5, 1 / sqrt(5) below; the left side is one of W0's vectors."""
    columns = found(BASE + 1e4 * torch.outer(LEFT[:, 0], mixed(RIGHT, count)))
    assert columns["intruders_right_a"] == intrudes
    assert columns["intruders_left_a"] == 0


def test_stronger_known_directions_are_no_intruders():
    assert found(BASE + 50 * torch.outer(LEFT[:, 7], RIGHT[:, 7]))["intruders_right_a"] == 0


def test_transposing_swaps_the_sides():
    tuned = BASE + 1e4 * torch.outer(LEFT[:, 0], mixed(RIGHT, 9))
    straight, turned = found(tuned), found(tuned.T, BASE.T)
    assert (straight["intruders_left_a"], straight["intruders_right_a"]) == (0, 1)
    assert (turned["intruders_left_a"], turned["intruders_right_a"]) == (1, 0)


def test_a_small_matrix_has_fewer_to_look_at():
    assert found(BASE[:4] * 2, BASE[:4])["intruder_top"] == 4
