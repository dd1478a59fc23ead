import pytest
import torch

from hodograph.diagnostics.path import TopVectors
from hodograph.diagnostics.two_runs import agreement, between, direction
from hodograph.linalg.factor import factor
from hodograph.matrices.update import Update

ROWS, COLS = 8, 6


def runs(change_a, change_b, base=None):
    """Two updates of one W0; whole numbers of ULPs of W0 = 1 are visible, halves of them not."""
    base = torch.ones(ROWS, COLS) if base is None else base
    return tuple(Update(base, base + change, "float32") for change in (change_a, change_b))


def moved(rows, size=2**-7):
    """A change of the given rows by one ULP of 1."""
    change = torch.zeros(ROWS, COLS)
    change[list(rows)] = size
    return change


def random(seed, scale=1.0):
    return torch.randn(ROWS, COLS, generator=torch.Generator().manual_seed(seed)) * scale


@pytest.mark.parametrize(("factor_b", "cosine", "sign"), [(1, 1, 1.0), (3, 1, 1.0), (-1, -1, 0.0)])
def test_updates_along_one_line(factor_b, cosine, sign):
    a, b = runs(moved([0, 1]), moved([0, 1]) * factor_b)
    assert direction(a, b) == pytest.approx({"cosine": cosine, "orthogonal_share": 0}, abs=1e-12)
    found = agreement(a, b)
    assert found["mask_jaccard"] == found["coverage_a"] == found["coverage_b"] == 1
    assert found["sign_agreement"] == sign


def test_orthogonal_updates_on_disjoint_masks():
    a, b = runs(moved(range(2)), moved(range(2, 6)))
    assert direction(a, b) == {"cosine": 0, "orthogonal_share": 1}
    found = agreement(a, b)
    assert (found["mask_jaccard"], found["coverage_a"], found["coverage_b"]) == (0, 0, 0)
    assert found["sign_agreement"] is None
    assert (found["density_a"], found["density_b"]) == (0.25, 0.5)
    p, q = 0.25, 0.5
    assert found["mask_jaccard_independent"] == pytest.approx(p * q / (p + q - p * q))


def test_a_planted_angle():
    first, second = moved([0]), moved([1])
    turned = 0.6 * first + 0.8 * second
    a, b = runs(first * 8, turned * 8, base=torch.zeros(ROWS, COLS))
    found = direction(a, b)
    assert found["cosine"] == pytest.approx(0.6, rel=1e-6)
    assert found["orthogonal_share"] == pytest.approx(0.64, rel=1e-6)


def test_nested_masks():
    a, b = runs(moved(range(2)), moved(range(6)))
    found = agreement(a, b)
    assert found["mask_jaccard"] == pytest.approx(2 / 6)
    assert (found["coverage_a"], found["coverage_b"]) == (1, pytest.approx(2 / 6))
    assert found["density_both"] == 0.25
    assert found["update_sparsity_a"] == 0.75


def test_one_exponent_makes_the_gate_the_independent_value():
    found = agreement(*runs(moved(range(2)), moved(range(1, 6))))
    assert found["mask_jaccard_gate"] == pytest.approx(found["mask_jaccard_independent"])


def test_the_gate_knows_that_small_weights_alone_move():
    """Half of W0 cannot visibly move; in the other half the runs are independent."""
    base = torch.full((200, 200), 64.0)
    base[:100] = 2.0**-4
    generator = torch.Generator().manual_seed(0)
    changes = [(torch.rand(200, 200, generator=generator) < 0.5) * 2.0**-11 for _ in range(2)]
    found = agreement(*runs(*changes, base=base))
    assert found["density_a"] == pytest.approx(0.25, abs=0.01)
    assert found["mask_jaccard_independent"] == pytest.approx(1 / 7, abs=0.01)
    assert found["mask_jaccard_gate"] == pytest.approx(1 / 3, abs=0.01)
    assert found["mask_jaccard"] == pytest.approx(found["mask_jaccard_gate"], abs=0.01)


def test_independent_runs_meet_every_chance_level():
    base = torch.ones(300, 300)
    generator = torch.Generator().manual_seed(1)
    changes = [torch.randn(300, 300, generator=generator) * 2**-7 for _ in range(2)]
    a, b = runs(*changes, base=base)
    found = agreement(a, b) | direction(a, b)
    assert found["cosine"] == pytest.approx(0, abs=4 / 300)
    assert found["sign_agreement"] == pytest.approx(0.5, abs=0.02)
    assert found["mask_jaccard"] == pytest.approx(found["mask_jaccard_independent"], abs=0.01)
    assert found["coverage_a"] == pytest.approx(found["density_b"], abs=0.01)


def test_a_run_that_did_not_move():
    a, b = runs(moved([]), moved([0]))
    assert direction(a, b) == {}
    found = agreement(a, b)
    assert (found["coverage_a"], found["coverage_b"], found["sign_agreement"]) == (None, 0, None)
    assert found["mask_jaccard"] == 0
    assert agreement(a, a)["mask_jaccard"] is None


def test_a_change_too_small_to_be_seen_has_a_direction_and_no_mask():
    a, b = runs(moved([0], 2**-10), moved([0]))
    assert agreement(a, b)["density_a"] == 0
    assert direction(a, b)["cosine"] == pytest.approx(1)


@pytest.mark.parametrize("scale", [2.0, 2.0**-20])
def test_powers_of_two_change_nothing(scale):
    base, first, second = random(0), random(1, 0.01), random(2, 0.01)
    plain, scaled = runs(first, second, base), runs(first * scale, second * scale, base * scale)
    assert agreement(*scaled) == agreement(*plain)
    assert direction(*scaled) == pytest.approx(direction(*plain))


def test_exchanging_the_runs_exchanges_the_columns():
    base, first, second = random(0), random(1, 0.01), random(2, 0.003)
    straight, swapped = agreement(*runs(first, second, base)), agreement(*runs(second, first, base))
    other = {"a": "b", "b": "a"}
    for name, value in straight.items():
        stem, _, end = name.rpartition("_")
        assert swapped[f"{stem}_{other[end]}" if end in other else name] == pytest.approx(value)


def top(matrix, k=16):
    factors = factor(matrix, k)
    return TopVectors(factors, factors.numerical_rank)


def test_subspaces_that_share_some_directions():
    left = torch.linalg.qr(random(3).double()).Q
    right = torch.linalg.qr(random(4).double()).Q  # 8 x 6 both
    values = torch.tensor([3.0, 2.0], dtype=torch.float64)
    first = (left[:, [0, 1]] * values) @ right[:, [0, 1]].T
    second = (left[:, [0, 2]] * values) @ right[:, [4, 5]].T
    found = between(top(first), top(second), 16)
    assert found["sim16_k"] == 2
    assert found["sim16_left"] == pytest.approx(0.5, abs=1e-12)
    assert found["sim16_right"] == pytest.approx(0, abs=1e-12)
    assert found["sim16_left_chance"] == 2 / 8
    turned = between(top(first.T), top(second.T), 16)
    assert turned["sim16_right"] == pytest.approx(0.5, abs=1e-12)


def test_random_subspaces_meet_their_chance_level():
    generator = torch.Generator().manual_seed(5)
    found = [
        between(*(top(torch.randn(60, 40, generator=generator)) for _ in range(2)), 16)
        for _ in range(30)
    ]
    for side, expected in (("right", 16 / 40), ("left", 16 / 60)):
        values = torch.tensor([one[f"sim16_{side}"] for one in found])
        assert float(values.mean()) == pytest.approx(expected, abs=0.02)
        assert found[0][f"sim16_{side}_chance"] == expected
