"""Tasks that stop where a matrix is to be factored, run alone and together."""

import pytest
import torch

from hodograph.engine import asking
from hodograph.engine.asking import alone, change_factored, together
from hodograph.linalg.factor import Wanted, factor
from hodograph.linalg.low_rank import factor_product


def gaussian(seed, shape=(12, 9)):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def stepwise(seed, steps):
    """Largest singular values of a few matrices, each scaled by the one before."""
    largest, found = 1.0, []
    for step in range(steps):
        factors = yield Wanted(largest * gaussian(seed + step), 1)
        largest = float(factors.sigma_R[0])
        found.append(largest)
    return found


def plainly(seed, steps):
    largest, found = 1.0, []
    for step in range(steps):
        largest = float(factor(largest * gaussian(seed + step), 1).sigma_R[0])
        found.append(largest)
    return found


@pytest.fixture
def rounds(monkeypatch):
    """How many matrices were factored at a time."""
    sound, sizes = asking.factor_many, []

    def counted(wanted):
        sizes.append(len(wanted))
        return sound(wanted)

    monkeypatch.setattr(asking, "factor_many", counted)
    return sizes


def test_each_task_gets_the_factors_of_its_own_matrices(rounds):
    steps = [2, 0, 3, 1]
    found = together([stepwise(10 * seed, count) for seed, count in enumerate(steps)])
    assert found == [plainly(10 * seed, count) for seed, count in enumerate(steps)]
    assert [size for size in rounds if size] == [3, 2, 1]
    assert together([]) == []


def test_a_task_alone_is_answered_one_at_a_time(rounds):
    assert alone(stepwise(5, 3)) == plainly(5, 3)
    assert [size for size in rounds if size] == [1, 1, 1]


def test_an_error_of_one_task_ends_all():
    def failing():
        yield Wanted(gaussian(1), 1)
        raise ValueError("of this task")

    with pytest.raises(ValueError, match="of this task"):
        together([stepwise(0, 5), failing()])


def test_a_change_that_is_a_product_asks_for_nothing(rounds):
    left, right = gaussian(0, (12, 2)), gaussian(1, (2, 9))
    found = alone(change_factored(left @ right, (left, right), 2, exact=False))
    assert torch.equal(found.sigma_R, factor_product(left, right, 2).sigma_R)
    assert found.method == "product"
    assert not any(rounds)
    plain = alone(change_factored(left @ right, None, 2, exact=True))
    assert plain.method == "svd"
    assert float(plain.sigma_R[0]) == pytest.approx(float(found.sigma_R[0]), rel=1e-12)
