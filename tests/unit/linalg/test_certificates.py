"""Every certificate holds, against 40-digit arithmetic."""

import dataclasses
import math
import re

import numpy as np
import pytest
import torch

from hodograph.linalg.certificates import (
    ANGLE_TARGET,
    SHIFT_TARGET,
    misses_target,
    reference_would_help,
    shift_error,
    spectral_gap,
    subspace_error,
)
from hodograph.linalg.gram import EIGH, by_gram
from hodograph.linalg.reference import by_svd
from hodograph.linalg.residuals import Residuals
from hodograph.tables.columns import BY_NAME
from planted.digits import (
    METHODS,
    exact_angles,
    exact_shift,
    forty_digits,
    largest_angle,
    turned,
    value_errors,
    with_gap,
)

FAST = [name for name in METHODS if name != "svd"]


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


@pytest.mark.parametrize("kind", ["dense", "rank one"])
@pytest.mark.parametrize("gap", [1.0, 1e-2, 1e-5, 1e-8])
@pytest.mark.parametrize("method", METHODS)
def test_angles_are_within_their_certificate(method, gap, kind):
    columns = turned(method, gap, kind)
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
    errors = value_errors(factors.sigma_R, matrix)
    for error, bound in zip(errors, factors.sigma_error_R.tolist(), strict=True):
        assert error <= bound


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [1e-2, 1e-5, 1e-8])
def test_shift_certificates_hold(method, size):
    base = with_gap(0.5, seed=4)
    step = torch.from_numpy(np.random.default_rng(5).standard_normal((14, 14)))
    tuned = base + size * step
    before, after = METHODS[method](base, 1), METHODS[method](tuned, 1)
    exact = exact_shift(base, tuned)
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
