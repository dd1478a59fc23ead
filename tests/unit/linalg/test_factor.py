import numpy as np
import pytest
import torch

from hodograph.errors import FactoringError
from hodograph.linalg import tridiagonal
from hodograph.linalg.certificates import ANGLE_TARGET, subspace_error
from hodograph.linalg.factor import factor
from hodograph.linalg.gram import EIGH, TRIDIAGONAL, by_gram, singular_values
from hodograph.linalg.reference import by_svd
from hodograph.linalg.subspaces import principal_angles
from planted.adversarial import ADVERSARIAL, with_values
from planted.narrow import narrow_at_eight

pytestmark = pytest.mark.usefixtures("way")


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("shape", [(24, 16), (16, 24), (12, 12)])
@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_recovers_planted_values_and_vectors(planted, way, shape, scale, exact):
    sigma = [8.0, 4.0, 2.0, 1.0]
    matrix = planted([s * scale for s in sigma], *shape)
    factors = factor(matrix, 4, exact=exact)
    expected = torch.tensor(sigma, dtype=torch.float64) * scale
    assert torch.allclose(factors.sigma_R[:4], expected, rtol=1e-13)
    assert (factors.sigma_R[4:] <= factors.sigma_error_R[4:]).all()
    rebuilt = (factors.u_MK * factors.sigma_R[:4]) @ factors.v_NK.T
    assert torch.allclose(rebuilt, matrix, rtol=0, atol=1e-13 * 8 * scale)
    assert factors.numerical_rank == 4
    assert factors.method == ("svd" if exact else way.method)


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


AT_SIZE = {
    "gaussian": lambda w: w,
    "aligned rows": lambda w: w + 1e6,  # every product of rows grows as it is summed
    "positive": torch.abs,
    "one large row": lambda w: torch.cat([w[:1] * 1e4, w[1:]]),
}


@pytest.mark.parametrize("shape", [(512, 512), (300, 900)])
@pytest.mark.parametrize("name", AT_SIZE)
def test_the_bounds_hold_at_size_and_are_of_use(shape, name):
    gaussian = torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    matrix = AT_SIZE[name](gaussian)
    reference, fast = by_svd(matrix, 1), by_gram(matrix, 1)
    error = (fast.sigma_R - reference.sigma_R).abs()
    assert (error <= fast.sigma_error_R + reference.sigma_error_R).all()
    if name == "gaussian":
        assert float(fast.sigma_error_R.norm() / fast.sigma_R.norm()) < 1e-10


@pytest.mark.parametrize("vectors", [4, 16])  # few of 40, and many: LAPACK is asked differently
@pytest.mark.parametrize("name", ADVERSARIAL)
def test_fast_equals_reference_within_its_certificate(name, vectors):
    matrix = ADVERSARIAL[name](torch.Generator().manual_seed(0))
    reference, fast = by_svd(matrix, vectors), factor(matrix, vectors)
    error = (fast.sigma_R - reference.sigma_R).abs()
    assert (error <= fast.sigma_error_R + reference.sigma_error_R).all()
    for k in (1, vectors // 2, vectors):
        bound = subspace_error(fast, k) + subspace_error(reference, k)
        if bound < 10:
            for side in ("u_MK", "v_NK"):
                mine = getattr(fast.leading(k), side)
                theirs = getattr(reference.leading(k), side)
                assert float(principal_angles(theirs, mine)[0].max()) <= bound + 1e-12


def test_the_reference_is_taken_where_the_gram_matrix_cannot_vouch(way):
    generator = torch.Generator().manual_seed(0)
    five = ADVERSARIAL["rank deficient"](generator)
    assert factor(five, 5).method == way.method
    assert factor(five, 16).method == "svd"  # eleven vectors of singular values that are zero
    graded = torch.diag(torch.logspace(0, -9, 30, dtype=torch.float64))
    assert factor(graded, 3).method == way.method
    assert factor(graded, 20).method == "svd"


def damaged(monkeypatch, way, harm, member=0):
    """Let the library that a way asks return what `harm` makes of its values and vectors.

    The one that takes a batch is wrong about one member of it.
    """
    library, name = (torch.linalg, "eigh") if way is EIGH else (tridiagonal, "few_vectors")
    sound = getattr(library, name)

    def wrong(*arguments):
        values, vectors = sound(*arguments)
        if way is TRIDIAGONAL:
            return harm(values, vectors)
        harmed = harm(values[member].numpy(), vectors[member].numpy())
        values[member], vectors[member] = map(torch.from_numpy, harmed)
        return values, vectors

    monkeypatch.setattr(library, name, wrong)


def turned(values, vectors):
    return values, vectors + 1e-6 * np.random.default_rng(0).standard_normal(vectors.shape)


def wrong_leading(values, vectors):
    return np.append(values[:-5], values[-5:] * (1 + 1e-6)), vectors


def wrong_beyond(values, vectors):
    return np.append(values[:10] + 1e-6 * values[-1], values[10:]), vectors


def wrong_but_of_one_sum(values, vectors):
    moved = values.copy()
    moved[[0, 9]] += 1e-6 * values[-1] * np.array([-1, 1])
    return moved, vectors


@pytest.mark.parametrize("harm", [turned, wrong_leading])
def test_a_damaged_factorisation_is_replaced_by_the_reference(way, monkeypatch, harm):
    matrix = with_values(torch.Generator().manual_seed(0), torch.arange(40, 0, -1).double())
    assert factor(matrix, 5).method == way.method
    damaged(monkeypatch, way, harm)
    found = factor(matrix, 5)
    assert found.method == "svd"
    assert torch.allclose(found.sigma_R, torch.arange(40, 0, -1).double(), rtol=1e-12)


@pytest.mark.parametrize("harm", [wrong_beyond, wrong_but_of_one_sum])
def test_values_that_are_wrong_beyond_the_vectors_are_seen(way, monkeypatch, harm):
    sigma_R = torch.arange(40, 0, -1).double()
    matrix = with_values(torch.Generator().manual_seed(0), sigma_R)
    damaged(monkeypatch, way, harm)
    found = factor(matrix, 5)
    assert found.method == ("svd" if way is TRIDIAGONAL else "eigh")  # eigh's bound is its own
    assert ((found.sigma_R - sigma_R).abs() <= found.sigma_error_R).all()


def test_every_size_that_is_used_is_vouched_for(way):
    """At k = 8 squaring loses what a full SVD keeps; at 16, all of them, nothing is in doubt."""
    matrix = narrow_at_eight()
    assert factor(matrix, 16).method == way.method
    assert factor(matrix, 16, sizes=(16,)).method == way.method
    found = factor(matrix, 16, sizes=(8, 16))
    assert found.method == "svd"
    assert subspace_error(found, 8) < ANGLE_TARGET < subspace_error(by_gram(matrix, 16), 8)


@pytest.mark.parametrize("shape", [(2, 3), (24, 24)])  # LAPACK gives NaN here, and an error there
def test_a_reference_that_fails_says_of_which_matrix(shape):
    matrix = torch.ones(shape)
    matrix[1, 0] = torch.inf
    said = f"{shape[0]} x {shape[1]} matrix, entries up to inf, do not converge"
    with pytest.raises(FactoringError, match=said):
        by_svd(matrix, 1)


def test_nothing_is_gained_from_the_reference_where_there_is_no_gap(way):
    repeated = ADVERSARIAL["repeated values"](torch.Generator().manual_seed(0))
    factors = factor(repeated, 8)
    assert factors.method == way.method
    assert subspace_error(factors, 8) == 90.0


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_values_alone_are_those_of_the_reference(name):
    matrix = ADVERSARIAL[name](torch.Generator().manual_seed(0))
    sigma_R, error_R = singular_values(matrix)
    reference = by_svd(matrix, 1)
    assert ((sigma_R - reference.sigma_R).abs() <= error_R + reference.sigma_error_R).all()


def test_the_gram_way_declines_a_single_row():
    assert by_gram(torch.ones(1, 4), 1) is None
