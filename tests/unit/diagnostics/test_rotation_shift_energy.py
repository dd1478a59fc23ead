import math

import pytest
import torch

from hodograph.diagnostics.energy import principal_energy
from hodograph.diagnostics.rotation import ill_defined, principal_size, rotation
from hodograph.diagnostics.shift import spectral_shift
from hodograph.linalg.factor import factor


def plane_rotation(size, axis, other, degrees):
    turn = torch.eye(size, dtype=torch.float64)
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    turn[axis, axis], turn[axis, other] = c, -s
    turn[other, axis], turn[other, other] = s, c
    return turn


@pytest.fixture
def diagonal():
    return torch.diag(torch.tensor([9.0, 7, 5, 3, 2, 1], dtype=torch.float64))


@pytest.mark.parametrize("degrees", [1e-5, 0.3, 20.0])
def test_recovers_a_planted_rotation_of_one_side(diagonal, degrees):
    # turning axis 2 (inside the top 3) towards axis 4 (outside) turns the left subspace only
    tuned = plane_rotation(6, 2, 4, degrees) @ diagonal
    columns = rotation(factor(diagonal, 6), factor(tuned, 3), k=3)
    assert columns["angle_left_max"] == pytest.approx(degrees, rel=1e-7)
    assert columns["angle_left_mean"] == pytest.approx(degrees / 3, rel=1e-6)
    assert columns["angle_right_max"] < 1e-6
    assert columns["spectral_gap"] == pytest.approx(5 - 3)
    assert columns["angle_k"] == 3


def test_a_rotation_inside_the_subspace_is_none(diagonal):
    tuned = plane_rotation(6, 0, 1, 30) @ diagonal
    columns = rotation(factor(diagonal, 6), factor(tuned, 3), k=3)
    assert columns["angle_left_max"] < 1e-6


def test_size_of_the_principal_subspaces():
    assert principal_size(2048, 1024, 512) == 512
    assert principal_size(100, 300, 512) == 50
    assert rotation(factor(torch.ones(1, 4), 1), factor(torch.ones(1, 4), 1), 0) == {"angle_k": 0}


def test_ill_defined_where_the_update_exceeds_half_the_gap(diagonal):
    factors = factor(diagonal, 6)
    assert not ill_defined(factors, 3, update_sigma_1=0.99)
    assert ill_defined(factors, 3, update_sigma_1=1.01)


def test_recovers_a_planted_spectral_shift():
    before, after = torch.tensor([3.0, 4.0]).double(), torch.tensor([3.3, 4.4]).double()
    columns = spectral_shift(before, after, relative_norm=0.2, longer_side=100)
    assert columns["nss"] == pytest.approx(0.1, rel=1e-6)
    assert columns["nss_per_relative_norm"] == pytest.approx(0.5, rel=1e-6)
    assert columns["nss_null"] == pytest.approx(0.02)
    assert spectral_shift(torch.zeros(2).double(), after, None, 2) == {}


def test_a_rotation_has_no_spectral_shift(diagonal):
    tuned = plane_rotation(6, 2, 4, 35) @ diagonal
    columns = spectral_shift(factor(diagonal, 1).sigma_R, factor(tuned, 1).sigma_R, 0.5, 6)
    assert columns["nss"] < 1e-15


def test_isotropic_null_of_the_shift_is_what_simulation_gives(planted):
    generator = torch.Generator().manual_seed(0)
    sigma = (torch.arange(1, 97, dtype=torch.float64) ** -0.3).tolist()
    base = planted(sigma, 128, 96)
    step = torch.randn(128, 96, generator=generator, dtype=torch.float64)
    step *= 1e-4 * base.norm() / step.norm()
    before, after = factor(base, 1).sigma_R, factor(base + step, 1).sigma_R
    columns = spectral_shift(before, after, 1e-4, 128)
    assert columns["nss"] == pytest.approx(columns["nss_null"], rel=0.35)


def test_energy_of_planted_updates(planted):
    base = planted([float(40 - i) for i in range(40)], rows=60, cols=40)
    factors = factor(base, 40)
    inside = torch.outer(factors.u_MK[:, 3], factors.v_NK[:, 20])  # left in the top 16, right not
    columns = principal_energy(inside, factors, k=20)
    assert columns["principal_energy_left_16"] == pytest.approx(1.0)
    assert columns["principal_energy_right_16"] == pytest.approx(0.0, abs=1e-13)
    assert columns["principal_energy_16"] == pytest.approx(0.0, abs=1e-13)
    assert columns["principal_energy_64"] == pytest.approx(1.0)
    assert columns["principal_energy_left_16_isotropic"] == 16 / 60
    assert columns["principal_energy_k_isotropic"] == 20 * 20 / (60 * 40)
    squares = [float((40 - i) ** 2) for i in range(40)]
    assert columns["principal_energy_k_base"] == pytest.approx(sum(squares[:20]) / sum(squares))
    # left index 3 is in the second eighth of the top 20, right index 20 just outside
    assert columns["principal_energy_left_bands"] == pytest.approx([0.0, 1.0] + [0.0] * 7, abs=1e-7)
    assert columns["principal_energy_right_bands"] == pytest.approx([0.0] * 8 + [1.0], abs=1e-7)


def test_w0_itself_has_its_own_share(planted):
    base = planted([float(40 - i) for i in range(40)], rows=60, cols=40)
    columns = principal_energy(base, factor(base, 40), k=20)
    for which in ("left_16", "right_16", "16"):
        share = columns[f"principal_energy_{which}"]
        assert share == pytest.approx(columns["principal_energy_16_base"])
