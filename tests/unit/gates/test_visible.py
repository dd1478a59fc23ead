"""Gate III on planted updates: Gaussian, sized by place, rounded."""

import pytest
import torch

from hodograph.gates.visible import visible_row

SHAPE = (256, 256)


def gaussian(seed):
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def base():
    return (0.05 * gaussian(0)).bfloat16().float()


def test_a_gaussian_update_deviates_as_gaussian_updates_do(base):
    rows = [visible_row(base, base + 2e-4 * gaussian(seed), 8, 90 + seed) for seed in range(1, 5)]
    for name in ("visibility_deviation", "visibility_largest"):
        found = torch.tensor([row[name] for row in rows])
        null = torch.tensor([row[f"{name}_null"] for row in rows])
        permuted = torch.tensor([row[f"{name}_permuted"] for row in rows])
        error = float(found.std() / len(found) ** 0.5 + 1e-9)
        assert abs(float((found - null).mean())) < 4 * error
        assert abs(float((found - permuted).mean())) < 4 * error


def test_sizes_that_vary_survive_permutation_and_sizes_by_place_do_not(base):
    heavy = 2e-4 * gaussian(1) * torch.exp(1.5 * gaussian(2))
    row = visible_row(base, base + heavy, 4, 99)
    assert row["visibility_deviation"] > 5 * row["visibility_deviation_null"]
    assert row["visibility_deviation"] == pytest.approx(
        row["visibility_deviation_permuted"], rel=0.1
    )
    by_place = 4e-3 * base.abs() * gaussian(1)
    row = visible_row(base, base + by_place, 4, 99)
    assert row["visibility_deviation"] > 2 * row["visibility_deviation_permuted"]


def test_the_curve_is_the_visibility_of_the_update(base):
    row = visible_row(base, base + 2e-4 * gaussian(1), 2, 99)
    assert sum(row["exponent_entries"]) == base.numel()
    changed = (base + 2e-4 * gaussian(1)).bfloat16() != base.bfloat16()
    assert sum(row["exponent_changed"]) == int(changed.sum())
    lengths = {len(row[f"exponent_{name}"]) for name in ("entries", "changed", "gate", "permuted")}
    assert lengths == {len(row["exponents"])}


def test_a_rounded_update_is_not_permuted(base):
    row = visible_row(base, (base + 2e-4 * gaussian(1)).bfloat16(), 2, 99)
    assert "visibility_deviation_permuted" not in row
    assert "visibility_deviation_null" in row


def test_no_change_has_no_gate(base):
    row = visible_row(base, base.clone(), 2, 99)
    assert "visibility_deviation" not in row
    assert sum(row["exponent_changed"]) == 0
