import pytest
import torch

from hodograph.diagnostics.landing import (
    Permutations,
    landing,
    masks_of,
    membership,
    null_reason,
    permutation_null,
)
from hodograph.linalg.factor import factor
from hodograph.matrices.precision import to_bfloat16
from hodograph.matrices.update import Update


def test_membership_takes_exactly_the_share_and_splits_ties_evenly():
    scores = torch.tensor([[3.0, 1.0, 1.0], [1.0, 0.0, 2.0]])
    member = membership(scores, 0.5)  # 3 entries: the 0, and 2 of the three 1s
    assert float(member.sum()) == pytest.approx(3)
    assert member.tolist()[0] == pytest.approx([0, 2 / 3, 2 / 3])
    assert member.tolist()[1] == pytest.approx([2 / 3, 1, 0])


def test_membership_does_not_depend_on_memory_order():
    scores = to_bfloat16(torch.randn(40, 30, generator=torch.Generator().manual_seed(0))).abs()
    order = torch.randperm(scores.numel(), generator=torch.Generator().manual_seed(1))
    shuffled = membership(scores.flatten()[order].reshape(scores.shape), 0.3)
    assert torch.equal(shuffled.flatten(), membership(scores, 0.3).flatten()[order])


def test_overlaps_of_planted_updates():
    base = torch.arange(1.0, 101.0).reshape(10, 10)
    masks = masks_of(base, factor(base, 10), rank=5)
    tuned = base.clone()
    tuned[0] *= 2  # ten of the thirty smallest
    tuned[9] *= 2  # ten of the thirty largest, where the principal part is largest too
    columns = landing(Update(base, tuned, "float32"), masks)
    assert columns["overlap_low_30"] == pytest.approx(0.5)
    assert columns["overlap_low_30_lift"] == pytest.approx(0.5 / 0.3)
    assert columns["overlap_principal_30"] == pytest.approx(0.5)
    assert columns["overlap_30_upper"] == 1.0
    assert columns["overlap_50_lower"] == 0.0
    dense = landing(Update(base, base * 2, "float32"), masks)
    assert dense["overlap_low_50"] == pytest.approx(0.5)
    assert dense["overlap_50_lower"] == pytest.approx(0.5)
    assert dense["overlap_50_upper"] == pytest.approx(0.5)


def test_principal_mask_is_cut_from_the_leading_part_only():
    # a rank-1 part in one corner, and larger entries elsewhere that it does not explain
    leading = torch.zeros(20, 20)
    leading[:10, :10] = 1.0
    noise = torch.randn(20, 20, generator=torch.Generator().manual_seed(0)) * 0.1
    base = leading + noise
    masks = masks_of(base, factor(base, 20), rank=1)
    assert float(masks["principal_30"][:10, :10].sum()) == pytest.approx(100, abs=1)


def test_no_visible_change_has_no_overlap():
    base = torch.ones(4, 4)
    masks = masks_of(base, factor(base, 4), rank=2)
    assert landing(Update(base, base + 1e-6, "float32"), masks) == {}


def random_update(seed, damped=None):
    generator = torch.Generator().manual_seed(seed)
    base = to_bfloat16(torch.randn(96, 96, generator=generator) * 0.02)
    step = torch.randn(96, 96, generator=generator) * 1e-4
    factors = factor(base, 96)
    masks = masks_of(base, factors, rank=48)
    if damped is not None:
        step = step * (1 - damped * masks["principal_30"].float())
    return Update(base, base + step, "float32"), masks


def test_null_covers_an_update_without_geometry():
    scores = []
    for seed in range(12):
        update, masks = random_update(seed)
        found = landing(update, masks)
        null = permutation_null(update, masks, Permutations(8, seed), None)
        gap = found["overlap_principal_30"] - null["overlap_principal_30_null"]
        scores.append(gap / null["overlap_principal_30_null_sd"])
    mean = sum(scores) / len(scores)
    assert abs(mean) < 1.0  # z of a null update: mean 0, standard error of twelve about .35


def test_null_exposes_an_update_that_avoids_the_principal_mask():
    update, masks = random_update(0, damped=0.5)
    found = landing(update, masks)
    null = permutation_null(update, masks, Permutations(8, 0), None)
    gap = null["overlap_principal_30_null"] - found["overlap_principal_30"]
    assert gap > 5 * null["overlap_principal_30_null_sd"]


def test_null_keeps_the_size_and_is_reproducible():
    update, masks = random_update(3)
    once = permutation_null(update, masks, Permutations(2, 5), None)
    assert once == permutation_null(update, masks, Permutations(2, 5), None)
    assert once != permutation_null(update, masks, Permutations(2, 6), None)


def test_null_says_why_it_is_empty():
    update, masks = random_update(0)
    assert null_reason(update) is None
    assert null_reason(update.in_bfloat16()) == "stored in bfloat16"
    rounded = Update(update.base_MN, to_bfloat16(update.tuned_MN), "float32")
    reason = null_reason(rounded)
    assert reason == "stored in float32, but rounded to bfloat16 before"
    assert permutation_null(rounded, masks, Permutations(1, 0), reason) == {"null_reason": reason}
    assert null_reason(Update(update.base_MN, update.base_MN, "float32")) == "no_update"
