import math

import pytest
import torch

from hodograph.diagnostics.spectrum import (
    hill,
    reliability,
    resolution,
    stable_rank,
    update_spectrum,
)
from hodograph.linalg.factor import factor
from hodograph.matrices.precision import to_bfloat16
from hodograph.matrices.update import Update


def values(*sigma):
    return torch.tensor(sigma, dtype=torch.float64)


@pytest.mark.parametrize("scale", [1e-200, 1e-12, 1.0, 1e12, 1e200])
def test_ranks_of_planted_values(scale):
    sigma = values(2, 1, 1) * scale
    assert stable_rank(sigma) == pytest.approx(6 / 4, rel=1e-14)
    columns = update_spectrum(sigma, 3)
    assert columns["participation_ratio"] == pytest.approx(36 / 18, rel=1e-14)
    shares = [4 / 6, 1 / 6, 1 / 6]
    entropy = -sum(p * math.log(p) for p in shares)
    assert columns["effective_rank"] == pytest.approx(math.exp(entropy), rel=1e-14)
    assert columns["top1_energy"] == pytest.approx(4 / 6, rel=1e-14)
    assert columns["top8_energy"] == pytest.approx(1.0)


def test_stable_rank_of_zero_is_zero():
    assert stable_rank(values(0, 0)) == 0.0


def test_equal_values_have_full_rank_by_every_measure():
    columns = update_spectrum(torch.ones(7, dtype=torch.float64), 7)
    for name in ("stable_rank", "participation_ratio", "effective_rank"):
        assert columns[name] == pytest.approx(7)


def test_hill_of_a_pareto_spectrum_is_its_exponent():
    # sigma_i = i^(-1/a) has tail exponent a; the estimate tends to it as k grows
    exponent, k = 2.5, 20000
    sigma = torch.arange(1, k + 1, dtype=torch.float64) ** (-1 / exponent)
    assert hill(sigma, k, k) == pytest.approx(exponent, rel=1e-3)
    by_hand = 1 / sum(math.log(float(sigma[i] / sigma[10])) / 10 for i in range(10))
    assert hill(sigma, 11, k) == pytest.approx(by_hand, rel=1e-12)


def test_hill_is_empty_beyond_the_rank_and_for_a_flat_spectrum():
    assert hill(values(3, 2, 1e-17), 3, rank=2) is None
    assert hill(values(1, 1, 1), 3, rank=3) is None
    assert hill(values(2, 1), 1, rank=2) is None
    assert update_spectrum(values(3, 2, 1), 3)["hill_11"] is None


def test_hill_of_values_that_only_rounding_tells_apart_is_empty():
    square = torch.randn(60, 60, generator=torch.Generator().manual_seed(0)).double()
    turn = torch.linalg.qr(square).Q
    for found in (factor(turn, 16), factor(turn, 16, exact=True)):
        assert found.sigma_R.std() > 0
        assert hill(found.sigma_R, 11, found.numerical_rank) is None
    nearly = turn * torch.linspace(1 + 1e-9, 1, 60, dtype=torch.float64)
    assert hill(factor(nearly, 16, exact=True).sigma_R, 11, 60) > 1e8


def test_hill_standard_error():
    sigma = torch.arange(1, 41, dtype=torch.float64) ** -0.5
    columns = update_spectrum(sigma, 40)
    assert columns["hill_11_se"] == pytest.approx(columns["hill_11"] / math.sqrt(10))
    assert columns["hill_32_se"] == pytest.approx(columns["hill_32"] / math.sqrt(31))


def test_noise_edge_bounds_the_spectrum_of_real_rounding_noise():
    # a binade-filling W1: the rounding error of bfloat16 is then uniform within its ULP
    generator = torch.Generator().manual_seed(0)
    tuned = 1 + torch.rand(96, 64, generator=generator)
    base = torch.zeros_like(tuned)
    seen = Update(base, to_bfloat16(tuned), "bfloat16")
    noise = to_bfloat16(tuned) - tuned
    sigma = factor(noise - noise.mean(), 1).sigma_R
    columns = resolution(seen, sigma, density=1.0)
    assert columns["noise_floor"] == pytest.approx(float(sigma[0]), rel=0.08)
    assert columns["resolved_rank"] <= 2


def test_a_strong_direction_stands_above_the_edge():
    generator = torch.Generator().manual_seed(1)
    base = to_bfloat16(torch.randn(64, 48, generator=generator) * 0.02)
    strong = torch.outer(torch.ones(64), torch.ones(48)) * 1e-3
    update = Update(base, base + strong, "float32").in_bfloat16()
    sigma = factor(update.difference_MN, 1).sigma_R
    assert resolution(update, sigma, density=0.9)["resolved_rank"] == 1


@pytest.mark.parametrize(
    ("storage", "density", "noise_share", "word"),
    [
        ("float32", 0.01, 9.0, "ok"),
        ("bfloat16", 0.5, 0.2, "ok"),
        ("bfloat16", 0.9, 0.21, "caution"),
        ("bfloat16", 0.49, 0.0, "caution"),
        ("bfloat16", 0.14, 0.0, "poor"),
    ],
)
def test_reliability(storage, density, noise_share, word):
    assert reliability(storage, density, noise_share) == word


def test_noise_share_is_the_energy_of_real_rounding_over_that_of_the_update():
    generator = torch.Generator().manual_seed(2)
    base = to_bfloat16(1 + torch.rand(96, 64, generator=generator))
    update = Update(base, base + 0.02 * torch.randn(96, 64, generator=generator), "float32")
    seen = update.in_bfloat16()
    noise = (seen.difference_MN - update.difference_MN).square().sum()
    sigma = factor(seen.difference_MN, 1).sigma_R
    expected = float(noise / seen.difference_MN.square().sum())
    assert resolution(seen, sigma, density=1.0)["noise_share"] == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("rank", [1, 2, 8, 32])
@pytest.mark.parametrize("size", [2.0**-e for e in range(5, 12)])
def test_a_stable_rank_that_rounding_moved_by_a_fifth_is_flagged(rank, size):
    generator = torch.Generator().manual_seed(rank)
    base = to_bfloat16(0.02 * torch.randn(128, 96, generator=generator))
    step = torch.randn(128, rank, generator=generator) @ torch.randn(rank, 96, generator=generator)
    update = Update(base, base + size * base.norm() * step / step.norm(), "float32")
    seen = update.in_bfloat16()
    true, shown = (factor(one.difference_MN, 1).sigma_R for one in (update, seen))
    density = float((seen.difference_MN != 0).double().mean())
    off = abs(stable_rank(shown) / stable_rank(true) - 1)
    assert off <= 0.2 or resolution(seen, shown, density)["reliability"] != "ok"
