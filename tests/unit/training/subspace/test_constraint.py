"""Each mode keeps what it promises, on real AdamW and planted gradients."""

import pytest
import torch
from torch import nn
from torch.optim import AdamW

from hodograph.training.interventions.subspace.constraint import (
    CoordinateConstraint,
    GradientConstraint,
    UpdateConstraint,
)
from hodograph.training.interventions.subspace.projection import ConfinedMatrix
from planted.confined import COLS, RANK, ROWS, SWITCH, confined_run, planted_gradients

CONFINING = [UpdateConstraint, CoordinateConstraint]
MODES = [GradientConstraint, *CONFINING]
FULL = torch.eye(COLS)


def matched(optimizer, matrices):
    return UpdateConstraint(optimizer, matrices, norm_matched=True)


@pytest.mark.parametrize("build", [*CONFINING, matched])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_update_and_coordinates_leave_the_span_by_rounding_only(build, decay):
    assert confined_run(build, decay=decay).leak < 1e-10


def test_the_papers_mode_leaks_and_moves_further():
    """Shrunken gradients are blown up again by Adam, and its scaling turns them out of the span."""
    free, projected = confined_run(None), confined_run(GradientConstraint)
    assert 0.01 < projected.leak < 0.5
    assert projected.update.norm() > 1.2 * confined_run(UpdateConstraint).update.norm()
    assert free.leak > projected.leak


def test_the_reported_numbers_are_those_of_the_matrix():
    run = confined_run(GradientConstraint)
    measures = run.constraint.measures()
    assert measures["subspace/update_energy"] == pytest.approx(1 - run.leak, abs=1e-6)
    assert measures["subspace/displacement"] == pytest.approx(float(run.update.norm()), rel=1e-6)
    last = planted_gradients()[-1]
    retained = (last @ run.basis).square().sum() / last.square().sum()
    assert measures["subspace/gradient_energy"] == pytest.approx(float(retained), rel=1e-5)


@pytest.mark.parametrize("build", MODES)
def test_clipping_composes(build):
    """Adam forgets the size of its gradients, so clipping to a tiny norm changes rounding only."""
    free, clipped = confined_run(build), confined_run(build, clip=1e-3)
    assert clipped.leak < (0.5 if build is GradientConstraint else 1e-10)
    similar = torch.cosine_similarity(free.update.flatten(), clipped.update.flatten(), dim=0)
    assert similar > 0.99


def test_clipping_sees_the_projected_gradient():
    weight = nn.Parameter(torch.zeros(2, 2))
    optimizer = AdamW([weight])
    matrix = ConfinedMatrix("w", weight, False, torch.eye(2)[:, :1], torch.zeros(2, 2))
    constraint = GradientConstraint(optimizer, [matrix])
    weight.grad = torch.tensor([[3.0, 100.0], [4.0, 100.0]])
    constraint.on_gradients()
    assert nn.utils.clip_grad_norm_([weight], 1.0) == 5.0
    assert constraint.measures()["subspace/gradient_energy"] == pytest.approx(25 / 20025)


@pytest.mark.parametrize("build", MODES)
def test_accumulation_changes_rounding_only(build):
    whole, split = confined_run(build), confined_run(build, parts=3)
    assert (whole.update - split.update).norm() < 1e-3 * whole.update.norm()


@pytest.mark.parametrize("build", MODES)
def test_a_transposed_weight_is_confined_on_its_input_side(build):
    plain, turned = confined_run(build), confined_run(build, transposed=True)
    assert turned.leak < (0.5 if build is GradientConstraint else 1e-10)
    assert (plain.update - turned.update).norm() < 1e-3 * plain.update.norm()


def test_with_every_direction_free_it_is_plain_adam():
    """V = 1: nothing is taken away, in any mode, up to rounding."""

    def run(build):
        weight = nn.Parameter(torch.zeros(ROWS, COLS))
        optimizer = AdamW([weight], lr=1e-3, weight_decay=0.1)
        matrix = ConfinedMatrix("w", weight, False, FULL, torch.zeros(ROWS, COLS))
        constraint = build(optimizer, [matrix]) if build else None
        for gradient in planted_gradients()[:SWITCH]:
            weight.grad = gradient.clone()
            if constraint:
                constraint.on_gradients()
            optimizer.step()
        return weight.detach()

    plain = run(None)
    for build in (*MODES, matched):
        assert torch.allclose(run(build), plain, rtol=1e-5, atol=1e-8)


def test_norm_matching_keeps_the_optimizers_step_norm():
    weight = nn.Parameter(torch.zeros(ROWS, COLS))
    optimizer = AdamW([weight], lr=1e-3)
    basis = torch.linalg.qr(torch.randn(COLS, RANK)).Q
    matched(optimizer, [ConfinedMatrix("w", weight, False, basis, torch.zeros(ROWS, COLS))])
    weight.grad = torch.randn(ROWS, COLS)
    optimizer.step()  # Adam's first step moves every entry by lr
    assert float(weight.detach().norm()) == pytest.approx(1e-3 * (ROWS * COLS) ** 0.5, rel=1e-4)


def test_a_step_without_a_gradient_moves_nothing_to_the_bit():
    for build in (*MODES, matched):
        weight = nn.Parameter(torch.randn(ROWS, COLS))
        optimizer = AdamW([weight], lr=1e-2, weight_decay=0.5)
        basis = torch.linalg.qr(torch.randn(COLS, RANK)).Q
        matrix = ConfinedMatrix("w", weight, False, basis, weight.detach().clone())
        constraint = build(optimizer, [matrix])
        weight.grad = torch.randn(ROWS, COLS)
        constraint.on_gradients()
        optimizer.step()
        before = weight.detach().clone()
        weight.grad = None
        constraint.on_gradients()
        optimizer.step()
        assert torch.equal(weight.detach(), before)


def test_frozen_parameters_stay_under_momentum_and_decay():
    weight, other = nn.Parameter(torch.ones(4, 3)), nn.Parameter(torch.ones(5))
    optimizer = AdamW([weight, other], lr=0.1, weight_decay=0.5)
    weight.grad, other.grad = torch.ones(4, 3), torch.ones(5)
    optimizer.step()
    before, moved = other.detach().clone(), weight.detach().clone()
    matrix = ConfinedMatrix("w", weight, False, torch.eye(3)[:, :2], moved)
    constraint = UpdateConstraint(optimizer, [matrix], [other])
    weight.grad, other.grad = torch.ones(4, 3), torch.ones(5)
    constraint.on_gradients()
    optimizer.step()
    assert torch.equal(other.detach(), before)
    assert not torch.equal(weight.detach(), moved)


def test_coordinates_hold_k_numbers_of_state_for_n():
    run = confined_run(CoordinateConstraint)
    (state,) = run.optimizer.state.values()
    assert state["exp_avg"].shape == state["exp_avg_sq"].shape == (ROWS, RANK)
    assert state["step"] == len(planted_gradients()) - SWITCH  # moments start afresh


def test_hooks_can_be_taken_off():
    weight = nn.Parameter(torch.zeros(ROWS, COLS))
    optimizer = AdamW([weight], lr=1e-3)
    basis = torch.linalg.qr(torch.randn(COLS, RANK)).Q
    matrix = ConfinedMatrix("w", weight, False, basis, torch.zeros(ROWS, COLS))
    UpdateConstraint(optimizer, [matrix]).remove()
    weight.grad = torch.randn(ROWS, COLS)
    optimizer.step()
    assert torch.allclose(weight.detach().abs(), torch.full((ROWS, COLS), 1e-3), rtol=1e-3)
