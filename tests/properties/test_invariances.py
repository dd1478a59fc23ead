"""What must not change a number, on random matrices of random shapes."""

import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hodograph.diagnostics.energy import principal_energy
from hodograph.diagnostics.landing import landing
from hodograph.diagnostics.masks import masks_of
from hodograph.diagnostics.rotation import principal_size, rotation
from hodograph.diagnostics.rotation_null import isotropic_turn
from hodograph.diagnostics.shift import spectral_shift
from hodograph.diagnostics.size import size
from hodograph.diagnostics.spectrum import update_spectrum
from hodograph.diagnostics.visibility import look
from hodograph.linalg.factor import factor
from hodograph.matrices.update import Update

shapes = st.tuples(st.integers(4, 20), st.integers(4, 20))
seeds = st.integers(0, 2**31)
few = settings(max_examples=40, deadline=None, derandomize=True)


def random_pair(shape, seed, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    base = torch.randn(shape, generator=generator, dtype=dtype) * 0.05
    return base, base + torch.randn(shape, generator=generator, dtype=dtype) * 1e-4


def everything(base_MN, tuned_MN):
    update = Update(base_MN, tuned_MN, "float32")
    rows, cols = base_MN.shape
    k = principal_size(rows, cols, 512)
    base, tuned = factor(base_MN, min(rows, cols)), factor(tuned_MN, k)
    change = factor(tuned_MN.double() - base_MN.double(), 16)
    columns = size(update) | rotation(base, tuned, k)
    turn = isotropic_turn(base, rows, cols, k, seed=0)
    columns |= turn.means(update.norm / (rows * cols) ** 0.5)
    columns |= spectral_shift(
        base.sigma_R, tuned.sigma_R, columns["relative_norm"], max(rows, cols)
    )
    columns |= principal_energy(tuned_MN.double() - base_MN.double(), base, k)
    columns |= update_spectrum(change.sigma_R, change.numerical_rank)
    masks = masks_of(base_MN, base, k)
    visible = look(masks.base, tuned_MN)
    columns |= visible.columns | landing(visible, masks)
    del columns["certificate_angles"]  # of the computation, which these change
    return {name: value for name, value in columns.items() if value is not None}


def close(first, second, names, rel):
    for name in names:
        assert second[name] == pytest.approx(first[name], rel=rel, abs=1e-9), name


def sides_swapped(name):
    other = {"left": "right", "right": "left"}
    return "_".join(other.get(part, part) for part in name.split("_"))


@few
@given(shapes, seeds)
def test_transposing_swaps_left_and_right(shape, seed):
    base, tuned = random_pair(shape, seed)
    straight, turned = everything(base, tuned), everything(base.T, tuned.T)
    for name, value in straight.items():
        assert turned[sides_swapped(name)] == pytest.approx(value, rel=1e-6, abs=1e-9), name


@few
@given(shapes, seeds, st.sampled_from([2.0, 0.25, 2.0**40]))
def test_scaling_both_by_a_power_of_two_changes_no_ratio(shape, seed, scale):
    base, tuned = random_pair(shape, seed)
    first, second = everything(base, tuned), everything(base * scale, tuned * scale)
    units = {
        "gate_scale",
        "base_norm",
        "update_norm",
        "update_max",
        "update_rms",
        "sigma_1",
        "spectral_gap",
    }
    ratios = set(first) - units - {"exponents"}
    close(first, second, ratios, rel=1e-9)
    for name in units & set(first):
        assert second[name] == pytest.approx(first[name] * scale, rel=1e-9), name


@few
@given(shapes, seeds)
def test_orthogonal_factors_leave_spectral_numbers(shape, seed):
    base, tuned = random_pair(shape, seed, torch.float64)
    generator = torch.Generator().manual_seed(seed + 1)
    left, right = (
        torch.linalg.qr(torch.randn(n, n, generator=generator, dtype=torch.float64)).Q
        for n in shape
    )
    first, second = everything(base, tuned), everything(left @ base @ right, left @ tuned @ right)
    names = [
        name
        for name in first
        if name.startswith(("angle", "nss", "principal_energy", "hill", "top"))
    ]
    names += ["stable_rank", "participation_ratio", "effective_rank"]
    for name in names:
        assert second[name] == pytest.approx(first[name], rel=1e-5, abs=1e-8), name


@few
@given(shapes, seeds)
def test_bounds_hold(shape, seed):
    columns = everything(*random_pair(shape, seed))
    assert 0 <= columns["update_sparsity"] <= 1
    assert columns["nss_per_relative_norm"] <= 1 + 1e-4  # Mirsky; base and update meet in float32
    assert 1 <= columns["stable_rank"] <= min(shape) + 1e-9
    ranks = [columns[name] for name in ("stable_rank", "participation_ratio", "effective_rank")]
    assert ranks == sorted(ranks)  # exponentials of Rényi's entropies of order infinity, 2 and 1
    assert ranks[-1] <= min(shape) * (1 + 1e-9)
    assert columns["top1_energy"] * columns["stable_rank"] == pytest.approx(1, rel=1e-9)
    for alpha in (30, 50):
        for mask in ("low", "principal"):
            overlap = columns.get(f"overlap_{mask}_{alpha}")
            if overlap is not None:
                slack = 1 / (columns["density"] * shape[0] * shape[1])  # round(alpha m n)
                assert columns[f"overlap_{alpha}_lower"] - slack <= overlap
                assert overlap <= columns[f"overlap_{alpha}_upper"] + slack
    for side in ("left", "right"):
        inside = sum(columns[f"principal_energy_{side}_bands"][:8])
        assert inside == pytest.approx(columns[f"principal_energy_{side}_k"], rel=1e-9)
    assert not pd.isna(columns["relative_norm"])
