"""The null of the angles against simulated isotropic updates, and at its edges."""

import pytest
import torch

from hodograph.diagnostics.rotation import rotation
from hodograph.diagnostics.rotation_null import NO_GAP, deviations, isotropic_means, isotropic_turn
from hodograph.linalg.factor import factor

SPECTRA = {
    "power": lambda index: (index + 1) ** -0.3,
    "steep": lambda index: (index + 1) ** -1.0,
    "exponential": lambda index: torch.exp(-4 * index / len(index)),
}


def weights(planted, kind, rows, cols):
    index = torch.arange(min(rows, cols), dtype=torch.float64)
    return planted(SPECTRA[kind](index).tolist(), rows, cols, seed=3)


def simulated(base, k, scale, draws):
    generator = torch.Generator().manual_seed(0)
    factors = factor(base, k)
    found = [
        rotation(
            factors,
            factor(base + scale * torch.randn(base.shape, generator=generator).double(), k),
            k,
        )
        for _ in range(draws)
    ]
    return [
        sum(columns[f"angle_{side}_mean"] for columns in found) / draws
        for side in ("left", "right")
    ]


@pytest.mark.parametrize("kind", SPECTRA)
@pytest.mark.parametrize(("rows", "cols"), [(160, 160), (80, 240), (240, 80)])
@pytest.mark.parametrize("relative", [1e-3, 3e-2])
def test_meets_a_simulated_isotropic_update(planted, kind, rows, cols, relative):
    base = weights(planted, kind, rows, cols)
    k, scale = min(rows, cols) // 2, relative * float(base.norm()) / (rows * cols) ** 0.5
    means = isotropic_turn(factor(base, k), rows, cols, k, seed=0).means(scale)
    left, right = simulated(base, k, scale, 8)
    assert means["angle_left_mean_null"] == pytest.approx(left, rel=0.12)
    assert means["angle_right_mean_null"] == pytest.approx(right, rel=0.12)


def test_deviations_are_those_of_first_order_perturbation():
    sigma, rows, cols, k = torch.tensor([5.0, 3.0, 2.0], dtype=torch.float64), 6, 3, 1
    base = torch.zeros(rows, cols, dtype=torch.float64)
    base[:3] = torch.diag(sigma)
    scale, generator, found = 1e-6, torch.Generator().manual_seed(0), []
    for _ in range(4000):
        step = torch.randn(rows, cols, generator=generator, dtype=torch.float64)
        left = torch.linalg.svd(base + scale * step)[0][:, 0]
        found.append(left[1:] / left[0] / scale)
    seen = torch.stack(found).std(dim=0)
    outside = torch.full((rows - cols,), 1 / 5.0, dtype=torch.float64)
    assert torch.allclose(torch.cat([deviations(sigma, k)[:, 0], outside]), seen, rtol=0.06)


def test_a_concentrated_update_of_random_directions_lies_below_too(planted):
    base = weights(planted, "power", 160, 160)
    factors, generator = factor(base, 80), torch.Generator().manual_seed(0)
    left, right = (torch.randn(160, 4, generator=generator).double() for _ in range(2))
    step = left @ right.T
    step *= 3e-3 * float(base.norm()) / float(step.norm())
    angle = rotation(factors, factor(base + step, 80), 80)["angle_left_mean"]
    null = isotropic_turn(factors, 160, 160, 80, 0).means(float(step.norm()) / 160)
    assert angle < 0.8 * null["angle_left_mean_null"]


def test_a_nearly_closed_gap_moves_one_direction_and_spoils_no_other(planted):
    sigma = torch.linspace(2, 1, 60, dtype=torch.float64)
    apart = isotropic_turn(factor(planted(sigma.tolist(), 60, 60), 30), 60, 60, 30, 0)
    sigma[30] = sigma[29] - 1e-11
    close = isotropic_turn(factor(planted(sigma.tolist(), 60, 60), 30), 60, 60, 30, 0)
    assert float(close.left_TK.max()) > 1e9
    bulk = (close.left_TK.median(dim=1).values / apart.left_TK.median(dim=1).values).tolist()
    assert bulk == pytest.approx([1.0] * len(bulk), rel=0.3)


def test_a_planted_update_that_turns_nothing_lies_below_its_null(planted):
    base = weights(planted, "power", 120, 120)
    factors = factor(base, 60)
    inside = factors.u_MK @ torch.diag(torch.linspace(1, 2, 60).double()) @ factors.v_NK.T * 1e-3
    angle = rotation(factors, factor(base + inside, 60), 60)["angle_left_mean"]
    scale = float(inside.norm()) / 120
    assert (
        angle < 1e-3 * isotropic_turn(factors, 120, 120, 60, 0).means(scale)["angle_left_mean_null"]
    )


def test_a_subspace_without_a_gap_has_no_null(planted):
    assert isotropic_turn(factor(torch.eye(16) * 3, 8), 16, 16, 8, 0) is None
    low = planted([3.0, 2.0, 1.0], rows=30, cols=20)
    assert isotropic_turn(factor(low, 10), 30, 20, 10, 0) is None
    assert isotropic_turn(factor(torch.ones(1, 9), 1), 1, 9, 0, 0) is None


def test_beyond_the_first_order_there_is_no_null(planted):
    turn = isotropic_turn(factor(weights(planted, "power", 60, 60), 30), 60, 60, 30, 0)
    assert turn.means(1e-4)["angle_left_mean_null"] < 1
    beyond = turn.means(10.0)
    assert beyond["angle_left_mean_null"] is None
    assert "more than 30 degrees (left and right)" in beyond["angle_null_reason"]
    assert "angle_null_reason" not in turn.means(1e-6)
    assert isotropic_means(None, 1.0) == {"angle_null_reason": NO_GAP}


def test_sides_of_a_square_matrix_share_their_null_and_seeds_differ(planted):
    factors = factor(weights(planted, "power", 60, 60), 30)
    means = isotropic_turn(factors, 60, 60, 30, 0).means(1e-3)
    assert means["angle_left_mean_null"] == means["angle_right_mean_null"]
    assert means == isotropic_turn(factors, 60, 60, 30, 0).means(1e-3)
    assert means != isotropic_turn(factors, 60, 60, 30, 1).means(1e-3)
