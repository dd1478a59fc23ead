import pytest
import torch

from hodograph.linalg.factor import factor


@pytest.mark.parametrize("shape", [(24, 16), (16, 24), (12, 12)])
@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_recovers_planted_values_and_vectors(planted, shape, scale):
    sigma = [8.0, 4.0, 2.0, 1.0]
    matrix = planted([s * scale for s in sigma], *shape)
    factors = factor(matrix, 4)
    expected = torch.tensor(sigma, dtype=torch.float64) * scale
    assert torch.allclose(factors.sigma_R[:4], expected, rtol=1e-14)
    assert float(factors.sigma_R[4:].max()) < 1e-14 * scale * 8
    rebuilt = (factors.u_MK * factors.sigma_R[:4]) @ factors.v_NK.T
    assert torch.allclose(rebuilt, matrix, rtol=0, atol=1e-14 * 8 * scale)
    assert factors.numerical_rank == 4


@pytest.mark.parametrize("shape", [(1, 5), (5, 1), (1, 1)])
def test_vectors_and_scalars(shape):
    matrix = torch.ones(shape)
    factors = factor(matrix, 3)
    assert float(factors.sigma_R) == pytest.approx(float(matrix.norm()), rel=1e-7)
    assert factors.u_MK.shape == (shape[0], 1)
    assert factors.v_NK.shape == (shape[1], 1)


def test_zero_has_rank_zero():
    factors = factor(torch.zeros(3, 4), 2)
    assert factors.numerical_rank == 0
    assert not factors.sigma_R.any()


def test_asks_for_as_many_vectors_as_there_are():
    assert factor(torch.eye(3), 10).u_MK.shape == (3, 3)
    assert factor(torch.eye(3), 2).leading(1).v_NK.shape == (3, 1)
