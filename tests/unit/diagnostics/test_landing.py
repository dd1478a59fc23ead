import pytest
import torch

from hodograph.diagnostics.landing import Permutations, landing, null_reason, permutation_null
from hodograph.diagnostics.masks import masks_of
from hodograph.diagnostics.visibility import look
from hodograph.linalg.factor import factor
from hodograph.matrices.precision import to_bfloat16
from hodograph.matrices.update import Update


def landed(tuned, masks):
    return landing(look(masks.base, tuned), masks)


def test_overlaps_of_planted_updates():
    base = torch.arange(1.0, 101.0).reshape(10, 10)
    masks = masks_of(base, factor(base, 10), rank=5)
    tuned = base.clone()
    tuned[0] *= 2  # ten of the thirty smallest
    tuned[9] *= 2  # ten of the thirty largest, where the principal part is largest too
    columns = landed(tuned, masks)
    assert columns["overlap_low_30"] == pytest.approx(0.5)
    assert columns["overlap_low_30_lift"] == pytest.approx(0.5 / 0.3)
    assert columns["overlap_principal_30"] == pytest.approx(0.5)
    assert columns["overlap_30_upper"] == 1.0
    assert columns["overlap_50_lower"] == 0.0
    dense = landed(base * 2, masks)
    assert dense["overlap_low_50"] == pytest.approx(0.5)
    assert dense["overlap_50_lower"] == pytest.approx(0.5)
    assert dense["overlap_50_upper"] == pytest.approx(0.5)


def test_no_visible_change_has_no_overlap():
    base = torch.ones(4, 4)
    masks = masks_of(base, factor(base, 4), rank=2)
    assert landed(base + 1e-6, masks) == {}


def random_update(seed, damped=None):
    generator = torch.Generator().manual_seed(seed)
    base = to_bfloat16(torch.randn(96, 96, generator=generator) * 0.02)
    step = torch.randn(96, 96, generator=generator) * 1e-4
    factors = factor(base, 96)
    masks = masks_of(base, factors, rank=48)
    if damped is not None:
        inside = masks.weights["principal_30"][masks.cell_E].reshape(96, 96)
        step = step * (1 - damped * torch.from_numpy(inside).float())
    return Update(base, base + step, "float32"), masks


def test_null_covers_an_update_without_geometry():
    scores = []
    for seed in range(12):
        update, masks = random_update(seed)
        found = landed(update.tuned_MN, masks)
        null = permutation_null(update, masks, Permutations(8, seed), None)
        gap = found["overlap_principal_30"] - null["overlap_principal_30_null"]
        scores.append(gap / null["overlap_principal_30_null_sd"])
    mean = sum(scores) / len(scores)
    assert abs(mean) < 1.0  # z of a null update: mean 0, standard error of twelve about .35


def test_null_exposes_an_update_that_avoids_the_principal_mask():
    update, masks = random_update(0, damped=0.5)
    found = landed(update.tuned_MN, masks)
    null = permutation_null(update, masks, Permutations(8, 0), None)
    gap = null["overlap_principal_30_null"] - found["overlap_principal_30"]
    assert gap > 5 * null["overlap_principal_30_null_sd"]


def test_null_keeps_the_size_and_is_reproducible():
    update, masks = random_update(3)
    once = permutation_null(update, masks, Permutations(2, 5), None)
    assert once == permutation_null(update, masks, Permutations(2, 5), None)
    assert once != permutation_null(update, masks, Permutations(2, 6), None)


def test_turns_spread_like_independent_permutations():
    update, masks = random_update(4)
    turned = permutation_null(update, masks, Permutations(200, 0), None)
    generator = torch.Generator().manual_seed(1)
    step = (update.tuned_MN - update.base_MN).flatten()
    drawn = []
    for _ in range(200):
        tuned = update.base_MN + step[torch.randperm(96 * 96, generator=generator)].reshape(96, 96)
        found = landed(tuned, masks)
        drawn.append(found["overlap_principal_30"])
    drawn = torch.tensor(drawn, dtype=torch.float64)
    sd = turned["overlap_principal_30_null_sd"]
    assert sd == pytest.approx(float(drawn.std()), rel=0.2)  # 5 % each
    gap = turned["overlap_principal_30_null"] - float(drawn.mean())
    assert abs(gap) < 4 * sd * (2 / 200) ** 0.5


def test_null_says_why_it_is_empty():
    update, masks = random_update(0)
    assert null_reason(update) is None
    assert null_reason(update.in_bfloat16()) == "stored in bfloat16"
    rounded = Update(update.base_MN, to_bfloat16(update.tuned_MN), "float32")
    reason = null_reason(rounded)
    assert reason == "stored in float32, but rounded to bfloat16 before"
    assert permutation_null(rounded, masks, Permutations(1, 0), reason) == {"null_reason": reason}
    assert null_reason(Update(update.base_MN, update.base_MN, "float32")) == "no_update"
