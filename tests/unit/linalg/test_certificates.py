"""Every certificate holds, against 40-digit arithmetic."""

import dataclasses
import functools
import math
import re
from functools import partial

import mpmath
import numpy as np
import pytest
import torch
from scipy.linalg import hadamard

from hodograph.diagnostics.rotation import rotation
from hodograph.linalg.certificates import (
    ANGLE_TARGET,
    SHIFT_TARGET,
    misses_target,
    reference_would_help,
    shift_error,
    spectral_gap,
    subspace_error,
)
from hodograph.linalg.gram import EIGH, TRIDIAGONAL, by_gram
from hodograph.linalg.reference import by_svd
from hodograph.linalg.residuals import Residuals
from hodograph.tables.columns import BY_NAME


def few(matrix, vectors):
    """The Gram way as it is taken where few of the vectors are wanted."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hodograph.linalg.tridiagonal.MANY", 0)
        return by_gram(matrix, vectors, TRIDIAGONAL)


def probed(matrix, vectors):
    """The Gram way with all residuals but the last bounded together, as it is at many vectors."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hodograph.linalg.residuals.EACH", 1)
        patch.setattr("hodograph.linalg.residuals.PROBES", 3)
        found = by_gram(matrix, vectors, TRIDIAGONAL)
    assert found.residuals.together == vectors - 1 or vectors == 1
    return found


METHODS = {
    "gram, few vectors": few,
    "gram, probed": probed,
    "gram, many": partial(by_gram, way=TRIDIAGONAL),
    "eigh": partial(by_gram, way=EIGH),
    "svd": by_svd,
}
FAST = [name for name in METHODS if name != "svd"]


def forty_digits(matrix, k):
    """Singular values, and the top-k right singular vectors as exact as 40 digits make them."""
    with mpmath.workdps(40):
        _, sigma, right_h = mpmath.svd_r(mpmath.matrix(matrix.tolist()))
        order = sorted(range(len(sigma)), key=lambda i: -sigma[i])
        values = [sigma[i] for i in order]
        vectors = [[right_h[i, j] for j in range(right_h.cols)] for i in order[:k]]
    return values, vectors


def largest_angle(vectors, computed_NK):
    """Largest principal angle to the exact subspace, in degrees, by 40-digit residuals."""
    with mpmath.workdps(40):
        exact = mpmath.matrix(vectors).T
        computed = mpmath.matrix(computed_NK.tolist())
        # orthonormalise what was computed, so that only the subspace is judged
        q, _ = mpmath.qr(computed, mode="skinny")
        sines = mpmath.svd_r(q - exact * (exact.T * q), compute_uv=False)
        return float(mpmath.degrees(mpmath.asin(min(max(sines), 1))))


def with_gap(gap, seed, size=14, k=5, ratio=30.0):
    """A matrix whose k-th and k+1-th singular values differ by `gap`."""
    generator = np.random.default_rng(seed)
    left, right = (np.linalg.qr(generator.standard_normal((size, size)))[0] for _ in range(2))
    sigma = np.linspace(ratio, 1.0, size)
    sigma[k] = sigma[k - 1] - gap
    sigma[k + 1 :] = np.linspace(sigma[k] * 0.8, 1.0, size - k - 1)
    return torch.from_numpy(left * sigma @ right.T)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("gap", [1.0, 1e-2, 1e-5, 1e-8])
@pytest.mark.parametrize("seed", [0, 1])
def test_subspace_certificates_hold(method, gap, seed):
    matrix = with_gap(gap, seed)
    factors = METHODS[method](matrix, 5)
    _, vectors = forty_digits(matrix, 5)
    bound = subspace_error(factors, 5)
    assert largest_angle(vectors, factors.v_NK) <= bound
    assert bound < 1e4 * math.degrees(1e-15 * 30 / gap)  # and is of use


def moved(gap, kind):
    """A matrix, and the same after an update.

    The update of rank one is exact, and turns the span of the first five towards one direction:
    four angles of a side are zero. Their sines are made of rounding, and where a Gram matrix gives
    them, of the root of it.
    """
    if kind == "dense":
        base = with_gap(gap, seed=6)
        step = np.random.default_rng(6).standard_normal((14, 14))
        return base, base + 1e-4 * gap * torch.from_numpy(step)
    left = torch.from_numpy(hadamard(16) / 4.0)
    right = left.roll(3, dims=0)
    sigma = torch.tensor([30, 28, 26, 24, 22, 22, 16, 14, 12, 10, 8, 6, 5, 4, 3, 2.0]).double()
    sigma[5] -= 2.0 ** round(math.log2(gap))
    base = left * sigma @ right.T
    return base, base + 2.0**-7 * torch.outer(left[:, 15], right[:, :5].sum(dim=1))


@functools.cache
def exact_angles(gap, kind, k=5):
    """Principal angles in degrees, ascending, of each side, by 40 digits."""
    sides = {"left": [], "right": []}
    with mpmath.workdps(40):
        for matrix in moved(gap, kind):
            u, sigma, right_h = mpmath.svd_r(mpmath.matrix(matrix.tolist()))
            order = sorted(range(len(sigma)), key=lambda i: -sigma[i])[:k]
            for side, vectors in (("left", u), ("right", right_h.T)):
                columns = [[vectors[row, i] for i in order] for row in range(vectors.rows)]
                sides[side].append(mpmath.matrix(columns))
        return {
            side: sorted(
                float(mpmath.degrees(mpmath.asin(sine)))
                for sine in mpmath.svd_r(after - before * (before.T * after), compute_uv=False)
            )
            for side, (before, after) in sides.items()
        }


@pytest.mark.parametrize("kind", ["dense", "rank one"])
@pytest.mark.parametrize("gap", [1.0, 1e-2, 1e-5, 1e-8])
@pytest.mark.parametrize("method", METHODS)
def test_angles_are_within_their_certificate(monkeypatch, method, gap, kind):
    if method == "eigh":
        monkeypatch.setattr("hodograph.linalg.gram.way_for", lambda device: EIGH)
    base, tuned = (METHODS[method](matrix, 5) for matrix in moved(gap, kind))
    columns = rotation(base, tuned, 5, exact=method == "svd")
    bound = columns["certificate_angles"]
    for side, exact in exact_angles(gap, kind).items():
        for statistic, value in (
            ("mean", np.mean(exact)),
            ("median", np.median(exact)),
            ("p95", np.quantile(exact, 0.95)),
            ("max", exact[-1]),
        ):
            assert abs(columns[f"angle_{side}_{statistic}"] - value) <= bound, (side, statistic)
    assert bound < 1e4 * math.degrees(1e-15 * 30 / gap) + 1e-8  # and is of use
    if method == "svd" and gap == 1.0:
        assert bound < 2e-11  # with --exact no root of rounding is left


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("ratio", [2.0, 1e3, 1e6])
def test_spectrum_certificates_hold(method, ratio):
    matrix = with_gap(ratio * 1e-2, seed=3, ratio=ratio)
    factors = METHODS[method](matrix, 5)
    values, _ = forty_digits(matrix, 1)
    with mpmath.workdps(40):
        errors = [
            abs(mpmath.mpf(float(s)) - v) for s, v in zip(factors.sigma_R, values, strict=True)
        ]
    for error, bound in zip(errors, factors.sigma_error_R.tolist(), strict=True):
        assert float(error) <= bound


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [1e-2, 1e-5, 1e-8])
def test_shift_certificates_hold(method, size):
    base = with_gap(0.5, seed=4)
    step = torch.from_numpy(np.random.default_rng(5).standard_normal((14, 14)))
    tuned = base + size * step
    before, after = METHODS[method](base, 1), METHODS[method](tuned, 1)
    (exact_before, _), (exact_after, _) = forty_digits(base, 1), forty_digits(tuned, 1)
    with mpmath.workdps(40):
        pairs = zip(exact_before, exact_after, strict=True)
        exact = float(mpmath.sqrt(sum((b - a) ** 2 for b, a in pairs)))
    computed = float((after.sigma_R - before.sigma_R).norm())
    assert abs(computed - exact) <= shift_error(before, after) * computed


def test_no_shift_has_no_relative_error():
    factors = by_svd(torch.eye(3), 1)
    assert shift_error(factors, factors) is None


@pytest.mark.parametrize("method", FAST)
def test_a_damaged_factorisation_is_refused(method):
    matrix = with_gap(1.0, seed=0)
    sound = METHODS[method](matrix, 5)
    assert not reference_would_help(sound, 5)
    turned = sound.v_NK.clone()
    turned[:, 4] += 1e-6 * torch.from_numpy(np.random.default_rng(0).standard_normal(14))
    residual = (matrix.double() @ turned - sound.u_MK * sound.sigma_R[:5]).norm(dim=0)
    damaged = dataclasses.replace(
        sound, v_NK=turned, residuals=Residuals(0, 0.0, residual), skew=1e-6
    )
    assert subspace_error(damaged, 5) > 1e-6
    assert reference_would_help(damaged, 5)


@pytest.mark.parametrize("damage", ["values", "vectors"])
def test_what_a_device_computes_wrongly_is_seen_in_its_bound(monkeypatch, damage):
    matrix = with_gap(1.0, seed=0)
    exact = by_svd(matrix, 1).sigma_R
    eigh = torch.linalg.eigh

    def wrong(gram):
        values, vectors = eigh(gram)
        noise = torch.from_numpy(np.random.default_rng(0).standard_normal(gram.shape))
        if damage == "values":
            return values + 1e-6 * noise[0], vectors
        return values, vectors + 1e-6 * noise

    monkeypatch.setattr(torch.linalg, "eigh", wrong)
    found = by_gram(matrix, 5, EIGH)
    assert ((found.sigma_R - exact).abs() <= found.sigma_error_R).all()
    assert float(found.sigma_error_R[0]) > 1e-9
    assert reference_would_help(found, 5)


def test_the_reference_is_worth_it_where_it_meets_the_target():
    sound = by_svd(with_gap(1e-5, seed=0), 5)
    assert subspace_error(sound, 5) < ANGLE_TARGET
    missed = math.radians(1.3 * ANGLE_TARGET) * spectral_gap(sound.sigma_R, 5)  # not five times
    residuals = Residuals(0, 0.0, torch.tensor([0, 0, 0, 0, missed]).double())
    short = dataclasses.replace(sound, residuals=residuals)
    assert ANGLE_TARGET < subspace_error(short, 5) < 3 * ANGLE_TARGET
    assert reference_would_help(short, 5)


def test_targets_are_those_the_columns_name():
    assert not misses_target(ANGLE_TARGET, SHIFT_TARGET)
    assert not misses_target(None, None)
    assert misses_target(2 * ANGLE_TARGET, None)
    assert misses_target(None, 2 * SHIFT_TARGET)
    for name, target in (("angles", ANGLE_TARGET), ("spectrum", SHIFT_TARGET)):
        formula = BY_NAME[f"certificate_{name}"].formula
        assert float(re.search("uncertified above (.*)$", formula)[1]) == target


def test_gap_and_missing_vectors():
    factors = by_svd(torch.diag(torch.tensor([3.0, 2.0, 0.5])), 2)
    assert spectral_gap(factors.sigma_R, 2) == 1.5
    assert spectral_gap(factors.sigma_R, 3) == 0.5
    assert subspace_error(factors, 3) == 90.0
    assert reference_would_help(factors, 3)
