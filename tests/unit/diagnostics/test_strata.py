"""Stratified overlaps against loops over entries, and against draws without geometry."""

import math

import numpy as np
import pytest
import torch

from hodograph.diagnostics.landing import landing
from hodograph.diagnostics.masks import GRADES, Masks, masks_of
from hodograph.diagnostics.strata import CELLS, STRATA, Strata, compare, strata_of, stratum_of
from hodograph.diagnostics.visibility import look
from hodograph.linalg.factor import factor
from hodograph.matrices.bits import bits_of, changed_bits, count_base, take_census
from hodograph.matrices.precision import to_bfloat16
from hodograph.matrices.update import Update

SIZE = 128


def gaussian(seed, size=SIZE):
    generator = torch.Generator().manual_seed(seed)
    return to_bfloat16(torch.randn(size, size, generator=generator) * 0.025), generator


def counted(update, masks):
    return strata_of(take_census(masks.base, update.tuned_MN), masks.low_X)


def landed(tuned, masks):
    return landing(look(masks.base, tuned), masks)


def plain(update, membership):
    """Expected overlap, z and odds ratio by loops, with exponents taken from math.frexp."""
    groups = {}
    for before, after, weight in zip(
        update.base_MN.flatten().tolist(),
        update.tuned_MN.flatten().tolist(),
        membership,
        strict=True,
    ):
        before, after = (float(to_bfloat16(torch.tensor(value))) for value in (before, after))
        fraction, exponent = math.frexp(abs(before))
        stratum = (max(exponent, -125) if before else -200, fraction in (0.0, 0.5))
        groups.setdefault(stratum, []).append((before != after, weight))
    expected, variance, total, inside = 0.0, 0.0, 0, 0.0
    top, bottom = 0.0, 0.0
    for group in groups.values():
        n, m = len(group), sum(changed for changed, _ in group)
        mean = sum(weight for _, weight in group) / n
        spread = sum((weight - mean) ** 2 for _, weight in group) / n
        expected, total = expected + m * mean, total + m
        variance += m * (n - m) / max(n - 1, 1) * spread
        a = sum(weight for changed, weight in group if changed)
        inside += a
        if len({weight for _, weight in group}) > 1:
            top += a * (n - m - n * mean + a) / n
            bottom += (m - a) * (n * mean - a) / n
    return expected / total, (inside - expected) / variance**0.5, top / bottom


def test_a_stratum_is_an_exponent_and_whether_the_mantissa_is_zero():
    values = torch.tensor([0.0, -0.0, 1.0, -1.5, 2.0, 2.0**-130, 1e-40])
    assert stratum_of(bits_of(values)).tolist() == [1, 1, 255, 254, 257, 0, 0]


def test_the_census_tells_every_stratum_and_cell():
    base, generator = gaussian(6, 300)
    base[0, :20], base[1, :20] = 0.0, -0.0
    base[2, :100] = 2.0**-130
    tuned = base + torch.randn(base.shape, generator=generator) * 1e-4
    masks = masks_of(base, factor(base, 16), rank=16)
    strata = strata_of(take_census(masks.base, tuned), masks.low_X)
    key_E = stratum_of(bits_of(base)).astype(int) * CELLS + masks.cell_E
    changed_E = changed_bits(bits_of(base), bits_of(tuned))
    for table_SC, keys in ((strata.entries_SC, key_E), (strata.changed_SC, key_E[changed_E])):
        expected = np.bincount(keys, minlength=STRATA * CELLS)
        assert np.array_equal(table_SC, expected.reshape(STRATA, CELLS))


def test_counts_every_entry_once():
    base, generator = gaussian(0)
    update = Update(base, base + torch.randn(base.shape, generator=generator) * 1e-4, "float32")
    strata = counted(update, masks_of(base, factor(base, 16), rank=16))
    assert strata.entries_SC.sum() == base.numel()
    changed = to_bfloat16(update.tuned_MN) != update.base_MN
    assert strata.changed_SC.sum() == int(changed.sum())
    exponents = torch.frexp(base).exponent + 126
    for exponent in exponents.unique().tolist():
        rows = strata.changed_SC[2 * exponent : 2 * exponent + 2]
        assert rows.sum() == int((changed & (exponents == exponent)).sum())


@pytest.mark.parametrize("name", ["principal_30", "principal_50", "low_30", "low_50"])
def test_equals_a_plain_implementation(name):
    base, generator = gaussian(1, 40)
    base[0, :20] = 0
    base[1, :5] = 2.0**-130
    update = Update(base, base + torch.randn(base.shape, generator=generator) * 2e-5, "float32")
    masks = masks_of(base, factor(base, 8), rank=8)
    membership = masks.weights[name][masks.cell_E]
    expected, z, odds_ratio = plain(update, membership.tolist())
    columns = landed(update.tuned_MN, masks)
    assert columns[f"overlap_{name}_expected"] == pytest.approx(expected, rel=1e-12)
    assert columns[f"overlap_{name}_z"] == pytest.approx(z, rel=1e-9)
    assert columns[f"overlap_{name}_odds_ratio"] == pytest.approx(odds_ratio, rel=1e-9)


def table(rows):
    """Strata from (inside kept, inside changed, outside kept, outside changed), two cells used."""
    entries, changed = np.zeros((STRATA, CELLS), np.int64), np.zeros((STRATA, CELLS), np.int64)
    for stratum, (kept, moved, kept_out, moved_out) in enumerate(rows):
        entries[stratum, :2] = kept + moved, kept_out + moved_out
        changed[stratum, :2] = moved, moved_out
    inside = np.zeros(CELLS)
    inside[0] = 1
    return Strata(entries, changed), inside


def test_one_stratum_is_a_two_by_two_table():
    found = compare(*table([(10, 30, 40, 20)]))
    assert found.expected == pytest.approx(40 / 100)
    assert found.odds_ratio == pytest.approx((30 * 40) / (10 * 20))
    assert found.z == pytest.approx((30 - 20) / (50 * 50 * 40 * 60 / (100**2 * 99)) ** 0.5)


def test_pooling_keeps_an_odds_ratio_that_all_strata_share():
    found = compare(*table([(10, 20, 40, 20), (5, 90, 10, 45), (8, 0, 70, 0)]))
    assert found.odds_ratio == pytest.approx(4)


def test_strata_that_cannot_vary_tell_nothing():
    for rows in (
        [(0, 30, 0, 20)],
        [(0, 0, 40, 20)],
        [(10, 30, 0, 0)],
        [(10, 30, 0, 0), (0, 0, 3, 4)],
    ):
        found = compare(*table(rows))
        assert (found.z, found.odds_ratio) == (None, None)
        assert 0 <= found.expected <= 1
    assert compare(*table([(10, 0, 0, 20)])).odds_ratio == 0
    assert compare(*table([(0, 20, 10, 0)])).odds_ratio is None


def test_ties_alone_tell_nothing():
    base = torch.ones(8, 8)
    tuned = base.clone()
    tuned[:3] += 1
    columns = landed(tuned, masks_of(base, factor(base, 2), rank=1))
    assert columns["overlap_low_30"] == pytest.approx(columns["overlap_low_30_expected"])
    assert columns["overlap_low_30_z"] is None
    assert columns["overlap_low_30_odds_ratio"] is None


def test_everything_changed_tells_nothing():
    base, _ = gaussian(2)
    columns = landed(base * 2, masks_of(base, factor(base, 16), 16))
    assert columns["overlap_principal_30_expected"] == pytest.approx(0.3, abs=1e-4)
    assert columns["overlap_principal_30_z"] is None
    assert "overlap_principal_30_gate" not in columns


def test_order_in_memory_does_not_matter():
    base, generator = gaussian(3)
    tuned = base + torch.randn(base.shape, generator=generator) * 1e-4
    masks = masks_of(base, factor(base, 16), rank=16)
    order = torch.randperm(base.numel(), generator=generator)
    turned, tuned_turned = (one.flatten()[order].reshape(base.shape) for one in (base, tuned))
    grade_E = masks.grade_E[order.numpy()]
    moved = Masks(count_base(turned, grade_E, GRADES), grade_E, masks.low_X, masks.weights)
    assert landed(tuned_turned, moved) == landed(tuned, masks)


def scores(damping, draws, density_scale=6e-5):
    """z and odds ratio of the principal mask over updates, damped by a share on that mask."""
    base, generator = gaussian(4)
    masks = masks_of(base, factor(base, SIZE // 2), rank=SIZE // 2)
    inside = torch.from_numpy(masks.weights["principal_30"][masks.cell_E]).reshape(base.shape)
    found = []
    for _ in range(draws):
        step = torch.randn(base.shape, generator=generator) * density_scale
        update = Update(base, base + step * (1 - damping * inside.float()), "float32")
        strata = counted(update, masks)
        found.append({name: compare(strata, weight) for name, weight in masks.weights.items()})
    return found


def test_null_is_covered():
    found = scores(0.0, 200)
    for name in found[0]:
        z = np.array([draw[name].z for draw in found])
        assert abs(z.mean()) < 0.3  # standard error .07
        assert 0.85 < z.std() < 1.15  # standard error .05
        ratios = np.log([draw[name].odds_ratio for draw in found])
        assert abs(ratios.mean()) < 0.03


def test_planted_avoidance_shows():
    found = scores(0.3, 20)
    ratio = np.exp(np.mean([np.log(draw["principal_30"].odds_ratio) for draw in found]))
    assert ratio < 0.8
    assert np.mean([draw["principal_30"].z for draw in found]) < -5


@pytest.mark.parametrize("scale", [2.0**-20, 2.0**30])
def test_scale_by_a_power_of_two_changes_nothing(scale):
    base, generator = gaussian(5)
    tuned = base + torch.randn(base.shape, generator=generator) * 1e-4
    masks = masks_of(base, factor(base, 16), rank=16)
    first = landed(tuned, masks)
    scaled = masks_of(base * scale, factor(base * scale, 16), rank=16)
    second = landed(tuned * scale, scaled)
    assert second == pytest.approx(first, rel=1e-9)
