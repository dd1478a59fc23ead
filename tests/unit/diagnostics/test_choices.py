"""A sweep's numbers are those of the measurement at the same settings."""

import numpy as np
import pytest
import torch

from hodograph.diagnostics.choices import (
    rms,
    swept_angles,
    swept_hill,
    swept_masks,
    swept_similarity,
)
from hodograph.diagnostics.landing import landing
from hodograph.diagnostics.masks import masks_of
from hodograph.diagnostics.path import TopVectors, similarity_to_end
from hodograph.diagnostics.rotation import rotation
from hodograph.diagnostics.rotation_null import isotropic_turn
from hodograph.diagnostics.spectrum import update_spectrum
from hodograph.diagnostics.visibility import look
from hodograph.linalg.factor import factor


@pytest.fixture(scope="module")
def planted():
    generator = torch.Generator().manual_seed(0)
    base_MN = torch.randn(60, 40, generator=generator)
    way_MN = torch.randn(60, 3, generator=generator) @ torch.randn(3, 40, generator=generator)
    noise_MN = torch.randn(60, 40, generator=generator)
    tuned = [base_MN + size * (way_MN + 0.5 * noise_MN.roll(int(size > 0.002), 0))
             for size in (2e-3, 6e-3)]  # fmt: skip
    return base_MN, tuned


def found(swept, choice, metric, setting):
    return next(
        one for one in swept
        if (one.choice, one.metric, one.setting) == (choice, metric, setting)
    )  # fmt: skip


def landed(base_MN, tuned_MN, base, rank):
    masks = masks_of(base_MN, base, rank)
    return landing(look(masks.base, tuned_MN), masks)


def test_overlaps_and_their_expectations_are_those_of_landing(planted):
    base_MN, (_, tuned_MN) = planted
    base = factor(base_MN, 20)
    swept = swept_masks(base_MN, tuned_MN, base, (0.3, 0.5), (5, 12, 64), (0.3, 12))
    columns = landed(base_MN, tuned_MN, base, 12)
    for alpha in (30, 50):
        for mask in ("principal", "low"):
            one = found(swept, "alpha", f"overlap_{mask}", alpha / 100)
            assert one.value == pytest.approx(columns[f"overlap_{mask}_{alpha}"], rel=1e-12)
            assert one.null == pytest.approx(columns[f"overlap_{mask}_{alpha}_expected"], rel=1e-12)
    assert found(swept, "r", "overlap_principal", 12).value == pytest.approx(
        columns["overlap_principal_30"], rel=1e-12
    )
    other = landed(base_MN, tuned_MN, base, 5)
    assert found(swept, "r", "overlap_principal", 5).value == pytest.approx(
        other["overlap_principal_30"], rel=1e-12
    )
    assert found(swept, "r", "overlap_principal", 64).used == 20  # half of the shorter side


def test_a_mask_of_everything_holds_its_share_of_ties():
    base_MN = torch.ones(8, 8)  # every entry on the edge of every mask
    tuned_MN = base_MN.clone()
    tuned_MN[0, :5] += 1
    swept = swept_masks(base_MN, tuned_MN, factor(base_MN, 2), (0.25,), (1,), (0.25, 1))
    assert found(swept, "alpha", "overlap_low", 0.25).value == pytest.approx(0.25)
    assert found(swept, "alpha", "overlap_low", 0.25).null == pytest.approx(0.25)


def test_nothing_visible_has_no_overlap(planted):
    base_MN, _ = planted
    assert swept_masks(base_MN, base_MN, factor(base_MN, 4), (0.3,), (4,), (0.3, 4)) == []


def test_angles_and_their_nulls_are_those_of_rotation(planted):
    base_MN, (_, tuned_MN) = planted
    base, tuned = factor(base_MN, 20), factor(tuned_MN, 20)
    scale = rms((tuned_MN - base_MN).double())
    swept = swept_angles(base, tuned, (5, 20, 500), scale, seed=3)
    for k in (5, 20):
        columns = rotation(base, tuned, k)
        null = isotropic_turn(base, 60, 40, k, 3).means(scale)
        for side in ("left", "right"):
            one = found(swept, "k", f"angle_{side}_mean", k)
            assert one.value == columns[f"angle_{side}_mean"]
            assert one.null == null[f"angle_{side}_mean_null"]
    assert found(swept, "k", "angle_left_mean", 500).used == 20


def test_similarity_and_hill_are_those_of_the_measurement(planted):
    base_MN, tuned = planted
    tops = []
    for tuned_MN in tuned:
        factors = factor((tuned_MN - base_MN).double(), 20)
        tops.append(TopVectors(factors, factors.numerical_rank))
    swept = swept_similarity(*tops, (3, 16))
    for k in (3, 16):
        expected = similarity_to_end(tops, k)[0]
        one = found(swept, "K", "sim_end", k)
        assert (one.value, one.null) == (expected["sim16_end"], expected["sim16_chance"])
    spectrum = update_spectrum(tops[1].factors.sigma_R, tops[1].rank)
    hills = swept_hill(tops[1].factors.sigma_R, tops[1].rank, (11, 32, 41))
    assert [one.value for one in hills] == [spectrum["hill_11"], spectrum["hill_32"], None]


def test_rms():
    assert rms(torch.tensor([[3.0, 4.0]], dtype=torch.float64)) == pytest.approx(np.sqrt(12.5))
