"""Matrices factored in one batch: the factors of one by one, each judged by itself."""

import pytest
import torch

from hodograph.linalg.certificates import subspace_error
from hodograph.linalg.eigh import device_eigen, device_eigens
from hodograph.linalg.factor import Wanted, factor, factor_many
from hodograph.linalg.gram import EIGH, TRIDIAGONAL, by_gram, singular_values
from hodograph.linalg.subspaces import principal_angles
from hodograph.linalg.together import singular_values_together

SHAPES = [(40, 60), (60, 40), (40, 60), (50, 50), (40, 60), (1, 40), (50, 50)]
VECTORS = [8, 8, 3, 8, 60, 1, 5]


@pytest.fixture
def on_a_device(monkeypatch):
    """Take the way of a device here, and count how often its library is asked, for how many."""
    sound, asked = torch.linalg.eigh, []

    def counted(gram_BRR):
        asked.append(len(gram_BRR))
        return sound(gram_BRR)

    monkeypatch.setattr("hodograph.linalg.gram.way_for", lambda device: EIGH)
    monkeypatch.setattr(torch.linalg, "eigh", counted)
    return asked


def gaussian(shape, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def several():
    return [
        Wanted(gaussian(shape, seed), vectors)
        for seed, (shape, vectors) in enumerate(zip(SHAPES, VECTORS, strict=True))
    ]


def assert_alike(mine, theirs):
    assert mine.method == theirs.method
    error = (mine.sigma_R - theirs.sigma_R).abs()
    assert (error <= mine.sigma_error_R + theirs.sigma_error_R).all()
    assert mine.kept == theirs.kept
    bound = subspace_error(mine, mine.kept) + subspace_error(theirs, theirs.kept)
    for side in ("u_MK", "v_NK"):
        angles_K, own = principal_angles(getattr(mine, side), getattr(theirs, side))
        assert float(angles_K.max()) <= bound + own


def test_a_batch_gives_the_factors_of_one_by_one(on_a_device):
    wanted = several()
    found = factor_many(wanted)
    assert sorted(on_a_device) == [2, 4]  # a matrix and its transpose are of one shape
    for one, mine in zip(wanted, found, strict=True):
        assert_alike(mine, factor(one.matrix_MN, one.vectors))
    assert found[5].method == "svd"  # one row


def test_the_order_of_a_batch_changes_nothing(on_a_device):
    wanted = several()
    for mine, theirs in zip(factor_many(wanted), factor_many(wanted[::-1])[::-1], strict=True):
        assert torch.equal(mine.sigma_R, theirs.sigma_R)
        assert torch.equal(mine.u_MK, theirs.u_MK)
        assert torch.equal(mine.v_NK, theirs.v_NK)


def test_the_cpu_factors_one_by_one():
    for one, found in zip(several(), factor_many(several()), strict=True):
        alone = factor(one.matrix_MN, one.vectors)
        assert found.method == alone.method in (TRIDIAGONAL.method, "svd")
        assert torch.equal(found.u_MK, alone.u_MK)


def test_bounds_are_those_of_each_matrix_and_not_of_the_batch(on_a_device):
    """A large neighbour makes no small matrix uncertain, a zero one divides nothing by zero."""
    scales = [1.0, 1e30, 1e-30, 0.0]
    found = factor_many([Wanted(scale * gaussian((40, 60), 0), 4) for scale in scales])
    assert [one.method for one in found] == ["eigh", "eigh", "eigh", "svd"]
    relative = [float(one.sigma_error_R[0] / one.sigma_R[0]) for one in found[:3]]
    assert relative == pytest.approx([relative[0]] * 3, rel=1e-2)
    assert relative[0] < 1e-12
    assert not found[3].sigma_R.any()


def test_what_is_wanted_exactly_or_beyond_the_fast_way_is_not_in_the_batch(on_a_device):
    five = gaussian((60, 5), 0) @ gaussian((5, 40), 1)
    wanted = [
        Wanted(gaussian((40, 60), 2), 8),
        Wanted(gaussian((40, 60), 3), 8, exact=True),
        Wanted(five, 16),  # eleven vectors of singular values that are zero
        Wanted(five, 5),
    ]
    found = factor_many(wanted)
    assert on_a_device == [3]
    assert [one.method for one in found] == ["eigh", "svd", "svd", "eigh"]
    for one, mine in zip(wanted, found, strict=True):
        assert_alike(mine, factor(one.matrix_MN, one.vectors, exact=one.exact))


@pytest.mark.parametrize("member", [0, 2])
def test_a_damaged_member_falls_back_alone(monkeypatch, member):
    sound = torch.linalg.eigh

    def damaged(gram_BRR):
        values_BR, vectors_BRR = sound(gram_BRR)
        vectors_BRR[member] += 1e-6 * gaussian((40, 40), 7)
        return values_BR, vectors_BRR

    wanted = [Wanted(gaussian((40, 60), seed), 8) for seed in range(4)]
    plain = [factor(one.matrix_MN, 8, exact=True) for one in wanted]
    monkeypatch.setattr("hodograph.linalg.gram.way_for", lambda device: EIGH)
    monkeypatch.setattr(torch.linalg, "eigh", damaged)
    found = factor_many(wanted)
    assert [one.method for one in found] == ["svd" if i == member else "eigh" for i in range(4)]
    for mine, theirs in zip(found, plain, strict=True):
        error = (mine.sigma_R - theirs.sigma_R).abs()
        assert (error <= mine.sigma_error_R + theirs.sigma_error_R).all()


def test_one_that_does_not_converge_leaves_the_others_their_values(monkeypatch):
    shorts = [gaussian((40, 60), seed) * (1e6 if seed == 1 else 1) for seed in range(3)]
    sound = torch.linalg.eigh

    def failing(gram_BRR):
        if gram_BRR.max() > 1e9:
            raise torch.linalg.LinAlgError("did not converge")
        return sound(gram_BRR)

    monkeypatch.setattr(torch.linalg, "eigh", failing)
    found = device_eigens(shorts, [4, 4, 4])
    assert found[1] is None
    for index in (0, 2):
        assert torch.equal(found[index].lambda_R, device_eigen(shorts[index], 4).lambda_R)


def test_a_kept_matrix_does_not_hold_its_batch(on_a_device):
    """Vectors of one matrix stay for all checkpoints; those of the others must not with them."""
    found = factor_many([Wanted(gaussian((40, 60), seed), 4) for seed in range(8)])
    for one in found:
        for kept in (one.u_MK, one.v_NK, one.sigma_R, one.sigma_error_R):
            assert kept.untyped_storage().nbytes() <= 8 * 40 * 60


def test_values_alone_are_those_of_one_by_one(on_a_device):
    """The longer sides differ, as those of draws for both sides of a matrix do."""
    matrices = [gaussian(shape, 0) for shape in ((90, 40), (40, 40), (40, 60), (1, 9), (60, 50))]
    found = singular_values_together(matrices)
    assert sorted(on_a_device) == [1, 3]
    assert found[3] is None
    for matrix, one in zip(matrices, found, strict=True):
        if one is not None:
            (sigma_R, error_R), (alone_R, alone_error_R) = one, singular_values(matrix)
            assert ((sigma_R - alone_R).abs() <= error_R + alone_error_R).all()
    assert singular_values_together([]) == []


def test_by_gram_is_a_batch_of_one(on_a_device):
    matrix = gaussian((60, 40), 0)
    (found,) = factor_many([Wanted(matrix, 8)])
    assert torch.equal(found.u_MK, by_gram(matrix, 8).u_MK)
