"""A product factored through its factors equals the product formed and factored."""

import mpmath
import pytest
import torch

from hodograph.diagnostics.spectrum import update_spectrum
from hodograph.linalg.certificates import subspace_error
from hodograph.linalg.low_rank import factor_product
from hodograph.linalg.reference import by_svd
from hodograph.linalg.subspaces import principal_angles

M, N, R = 40, 28, 6


def gaussian(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def deficient(rows, cols, rank):
    return gaussian(rows, rank, seed=2) @ gaussian(rank, cols, seed=3)


PAIRS = {
    "plain": (gaussian(M, R), gaussian(R, N, seed=1)),
    "wide": (gaussian(N, R), gaussian(R, M, seed=1)),
    "inner dimension above both sides": (gaussian(M, 90), gaussian(90, N, seed=1)),
    "inner dimension between the sides": (gaussian(M, 33), gaussian(33, N, seed=1)),
    "deficient on the left": (deficient(M, R, 2), gaussian(R, N)),
    "deficient on both sides": (deficient(M, R, 4), deficient(R, N, 3)),
    "one column": (gaussian(M, 1), gaussian(1, N, seed=1)),
    "one row": (gaussian(1, R), gaussian(R, N, seed=1)),
    "scalar": (gaussian(1, 1), gaussian(1, 1, seed=1)),
    "badly scaled columns": (
        gaussian(M, R) * torch.logspace(-12, 12, R, dtype=torch.float64),
        gaussian(R, N, seed=1) * torch.logspace(12, -12, R, dtype=torch.float64)[:, None],
    ),
}


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
@pytest.mark.parametrize("name", PAIRS)
def test_equals_the_product_formed(name, scale):
    left, right = PAIRS[name]
    found = factor_product(left * scale, right, 4)
    formed = by_svd((left * scale) @ right, 4)
    sigma_1 = float(formed.sigma_R[0])
    assert found.sigma_R.shape == formed.sigma_R.shape
    assert torch.allclose(found.sigma_R, formed.sigma_R, rtol=0, atol=2e-14 * sigma_1)
    assert ((found.sigma_R - formed.sigma_R).abs() <= found.sigma_error_R + 1e-14 * sigma_1).all()
    for k in range(1, found.kept + 1):
        bound = subspace_error(found, k) + subspace_error(formed, k)
        for side in ("u_MK", "v_NK"):
            mine, theirs = getattr(found.leading(k), side), getattr(formed.leading(k), side)
            assert bound >= 10 or float(principal_angles(theirs, mine)[0].max()) <= bound
    assert name != "plain" or subspace_error(found, 4) < 1e-11  # degrees


@pytest.mark.parametrize("rank", [1, 3, R])
def test_the_rank_is_that_of_the_factors_and_the_rest_is_exactly_zero(rank):
    found = factor_product(deficient(M, R, rank), gaussian(R, N), 16)
    assert found.numerical_rank == rank
    assert found.kept == R
    assert not found.sigma_R[R:].any()
    assert not found.sigma_error_R[R:].any()


def test_rebuilds_the_product():
    left, right = PAIRS["plain"]
    found = factor_product(left, right, R)
    rebuilt = (found.u_MK * found.sigma_R[:R]) @ found.v_NK.T
    assert torch.allclose(rebuilt, left @ right, rtol=0, atol=1e-13)


def test_the_spectrum_of_an_update_is_that_of_the_product_formed():
    left, right = PAIRS["plain"]
    found, formed = factor_product(left, right, 4), by_svd(left @ right, 4)
    mine = update_spectrum(found.sigma_R, found.numerical_rank)
    theirs = update_spectrum(formed.sigma_R, formed.numerical_rank)
    undefined = {name for name, value in mine.items() if value is None}
    assert undefined == {"hill_11", "hill_11_se", "hill_32", "hill_32_se"}  # six are not zero
    for name in mine.keys() - undefined:
        assert mine[name] == pytest.approx(theirs[name], rel=1e-11), name
    assert all(theirs[name] is None for name in undefined)


def test_an_adapter_that_was_not_trained_has_rank_zero():
    found = factor_product(torch.zeros(M, R), gaussian(R, N).float(), 4)
    assert found.numerical_rank == 0
    assert not found.sigma_R.any()


@pytest.mark.parametrize("cancelled", [1e-2, 1e-6, 1e-10])
def test_certificates_hold_in_forty_digits_where_terms_cancel(cancelled):
    common = gaussian(8, 2)
    left = torch.cat([common, common + cancelled * gaussian(8, 2, seed=1)], dim=1)
    right = torch.cat([gaussian(2, 7, seed=2), -gaussian(2, 7, seed=2)])
    found = factor_product(left, right, 1)
    with mpmath.workdps(40):
        product = mpmath.matrix(left.tolist()) * mpmath.matrix(right.tolist())
        u, sigma, _ = mpmath.svd_r(product)
        first = max(range(len(sigma)), key=lambda i: sigma[i])
        assert abs(sigma[first] - float(found.sigma_R[0])) <= float(found.sigma_error_R[0])
        mine = mpmath.matrix(found.u_MK[:, 0].tolist())
        mine /= mpmath.norm(mine)
        outside = mine - u[:, first] * (u[:, first].T * mine)[0]
        angle = float(mpmath.degrees(mpmath.asin(min(mpmath.norm(outside), 1))))
    assert angle <= subspace_error(found, 1)
