"""Residuals bounded together are bounds, and those over a distance what they say."""

import dataclasses

import numpy as np
import pytest
import torch

from hodograph.linalg.certificates import ANGLE_TARGET, reference_would_help, subspace_error
from hodograph.linalg.factor import factor
from hodograph.linalg.factors import skew_of
from hodograph.linalg.gram import by_gram, sharpened
from hodograph.linalg.residuals import EACH, FACTOR, PROBES, Residuals, residuals_of, skew_bound


def singular(rows=120, cols=200, k=80):
    """A matrix, and its leading triplets by a full decomposition."""
    generator = np.random.default_rng(0)
    left = np.linalg.qr(generator.standard_normal((rows, rows)))[0]
    right = np.linalg.qr(generator.standard_normal((cols, rows)))[0]
    sigma = np.linspace(9.0, 1.0, rows)
    parts = (left * sigma @ right.T, left[:, :k], sigma[:k], right[:, :k])
    return tuple(torch.from_numpy(np.ascontiguousarray(part)) for part in parts)


def damages(shape):
    """Residuals of every kind: spread, of rank one, in one column, in one row."""
    generator = torch.Generator().manual_seed(1)
    spread = torch.randn(shape, generator=generator).double()
    column, row = torch.zeros(shape).double(), torch.zeros(shape).double()
    column[:, 7], row[3] = 1.0, 1.0
    rank_one = torch.outer(spread[:, 0], spread[0])
    return {"spread": spread, "rank one": rank_one, "one column": column, "one row": row}


@pytest.mark.parametrize("kind", ["spread", "rank one", "one column", "one row"])
@pytest.mark.parametrize("size", [1e-12, 1e-6, 1.0])
def test_probes_bound_the_residuals(kind, size):
    matrix, left, sigma, right = singular()
    planted = damages(left.shape)[kind] * size
    wrong = left + planted / sigma
    found = residuals_of(matrix, wrong, sigma, right)
    exact = residuals_of(matrix, wrong, sigma, right, one_by_one=True)
    assert found.together == len(sigma) - EACH
    assert exact.together == 0
    first = float(exact.each[: found.together].norm())
    assert first <= found.joint <= 3 * FACTOR * first
    # the same sums in another order, of products of the matrix's own size
    torch.testing.assert_close(found.each, exact.each[found.together :], rtol=1e-6, atol=1e-13)
    assert found.norm() >= float(exact.each.norm())


def test_few_vectors_have_each_their_residual():
    matrix, left, sigma, right = singular(k=EACH + PROBES)
    found = residuals_of(matrix, left, sigma, right)
    assert found.together == 0
    assert found.joint == 0.0
    assert len(found.each) == EACH + PROBES


def test_over_distances_is_what_each_would_give():
    each = torch.tensor([3.0, 1.0, 2.0, 5.0]).double()
    distance = torch.tensor([8.0, 4.0, 2.0, 1.0]).double()
    plain = Residuals(0, 0.0, each)
    assert plain.over(distance, 0.5) == float(((each + 0.5) / distance).norm())
    assert plain.over(distance[:2], 0.0) == float((each[:2] / distance[:2]).norm())
    half = Residuals(2, float(each[:2].norm()), each[2:])
    assert half.norm() == pytest.approx(plain.norm())
    for size in range(1, 5):
        assert half.over(distance[:size], 0.5) >= plain.over(distance[:size], 0.5)
    # at the end of what is bounded together nothing is known but the whole
    assert half.over(distance[:1], 0.0) == pytest.approx(float(each[:2].norm()) / 8)


def test_skew_is_bounded():
    q = torch.linalg.qr(torch.randn(90, 40, generator=torch.Generator().manual_seed(2)).double())[0]
    for tilt in (1e-9, 1e-3):
        tilted = q.clone()
        tilted[:, 5] += tilt * q[:, 6]
        assert skew_of(tilted) <= skew_bound(tilted) <= 3 * FACTOR * skew_of(tilted)


def test_a_wrong_vector_among_the_first_is_seen():
    matrix, _, _, _ = singular()
    sound = by_gram(matrix, 80)
    assert sound.residuals.together > 0
    assert not reference_would_help(sound, 80)
    turned = sound.v_NK.clone()
    turned[:, 3] += 1e-4 * turned[:, 50]
    residuals = residuals_of(matrix, sound.u_MK, sound.sigma_R[:80], turned)
    damaged = dataclasses.replace(sound, residuals=residuals)
    assert subspace_error(damaged, 80) > ANGLE_TARGET
    assert reference_would_help(damaged, 80)


def test_what_the_probes_cannot_vouch_for_is_computed_one_by_one(monkeypatch):
    matrix, _, _, _ = singular()
    each = sharpened(matrix, by_gram(matrix, 80))
    assert each.residuals.together == 0
    # a target between what the probes give at 48 and what each residual gives
    loose, sharp = (subspace_error(one, 48) for one in (by_gram(matrix, 80), each))
    assert sharp < loose / 2
    monkeypatch.setattr("hodograph.linalg.certificates.ANGLE_TARGET", (loose * sharp) ** 0.5)
    found = factor(matrix, 80, sizes=(48, 80))
    assert found.method == "gram"
    assert found.residuals.together == 0
    monkeypatch.setattr("hodograph.linalg.certificates.ANGLE_TARGET", 2 * loose)
    assert factor(matrix, 80, sizes=(48, 80)).residuals.together > 0
