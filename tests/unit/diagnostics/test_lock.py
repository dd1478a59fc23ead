import pytest
import torch

from hodograph.diagnostics.lock import capture, counts, lock_step, rounding_energy
from hodograph.matrices.precision import to_bfloat16
from hodograph.matrices.update import Update
from hodograph.tables.thresholds import LockThresholds

THRESHOLDS = LockThresholds()


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def captured(rest, basis):
    return capture(rest, torch.linalg.svdvals(rest), basis)


def orthonormal(n, k, seed=0):
    return torch.linalg.qr(random(n, k, seed=seed)).Q


def test_capture_of_planted_energies():
    # R acts on five of 40 directions with energies 4, 3, 1, 1, 1; the early subspace has e_2, e_5
    rest = torch.zeros(30, 40, dtype=torch.float64)
    for place, energy in enumerate((4.0, 3.0, 1.0, 1.0, 1.0)):
        rest[place, place] = energy**0.5
    early = torch.eye(40, dtype=torch.float64)[:, [1, 4]]
    chance = 2 / 40
    assert captured(rest, early) == pytest.approx((0.4 - chance) / (0.7 - chance), rel=1e-12)
    assert captured(rest, torch.eye(40, dtype=torch.float64)[:, :2]) == pytest.approx(1, rel=1e-12)
    outside = torch.eye(40, dtype=torch.float64)[:, 20:22]
    assert captured(rest, outside) == pytest.approx(-chance / (0.7 - chance), rel=1e-12)


@pytest.mark.parametrize("rank", [1, 4, 16])
def test_a_rank_r_lock_captures_everything(rank):
    right = orthonormal(80, rank)
    assert captured(random(60, rank, seed=1) @ right.T, right) == pytest.approx(1, rel=1e-10)


def test_new_directions_capture_nothing_beyond_chance():
    found = [
        captured(random(60, 8, seed=s) @ random(8, 80, seed=s + 100), orthonormal(80, 16, s + 200))
        for s in range(40)
    ]
    mean = torch.tensor(found).mean()
    assert abs(float(mean)) < 0.02
    assert max(found) < 0.25


def test_orthogonal_factors_and_scale_leave_capture():
    rest, basis = random(50, 70), orthonormal(70, 16, seed=1)
    left, right = orthonormal(50, 50, seed=2), orthonormal(70, 70, seed=3)
    turned = captured(1e-9 * left @ rest @ right.T, right @ basis)
    assert turned == pytest.approx(captured(rest, basis), rel=1e-9)


def test_capture_is_empty_where_it_is_not_defined():
    basis = orthonormal(20, 4)
    assert captured(torch.zeros(20, 20, dtype=torch.float64), basis) is None
    assert captured(torch.eye(20, dtype=torch.float64), basis[:, :0]) is None
    flat = torch.eye(16, dtype=torch.float64)  # any K directions hold exactly K / n
    assert captured(flat, torch.eye(16, dtype=torch.float64)[:, :4]) is None


def test_rounding_energy_is_that_of_rounding():
    weights = (random(400, 400) * 0.05).float()
    error = (to_bfloat16(weights) - weights).double().square().sum()

    def energy(tuned, storage):
        return rounding_energy(Update(weights, tuned, storage))

    rounded = to_bfloat16(weights)
    assert energy(weights, "bfloat16") == pytest.approx(float(error), rel=0.02)
    assert energy(rounded, "float32") == energy(rounded, "bfloat16")
    assert energy(weights, "float32") < 1e-8 * float(error)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, True),
        ({"rest_energy": 0.009}, False),
        ({"rest_over_noise": 3.9}, False),
        ({"capture16": None}, False),
        ({"rest_energy": None}, False),
    ],
)
def test_what_counts(changed, expected):
    columns = {"capture16": 0.1, "rest_energy": 0.01, "rest_over_noise": 4.0} | changed
    assert counts(columns, THRESHOLDS) is expected


def path(*captures):
    """Rows at steps 10, 20, ...; None is a checkpoint that does not count."""
    rows = [
        {"step": 10 * place, "capture16": value, "lock_counts": int(value is not None)}
        for place, value in enumerate(captures, 1)
    ]
    return [*rows, {"step": 990}, {"step": 1000}]


@pytest.mark.parametrize(
    ("captures", "start"),
    [
        ((0.9, 0.9, 0.9), 10),
        ((0.2, 0.5, 0.9, 0.9), 20),
        ((0.9, 0.1, 0.9, 0.9, 0.9), 30),
        ((0.9, 0.9, 0.9, 0.1), None),  # it leaves
        ((0.1, 0.1, 0.9, 0.9), None),  # one counted checkpoint after t*
        ((0.9, 0.9), None),
        ((None, 0.9, None, 0.9, 0.9, None), 20),
        ((), None),
    ],
)
def test_lock_step(captures, start):
    assert lock_step(path(*captures), THRESHOLDS) == start


def test_lock_step_moves_with_the_thresholds():
    rows = path(0.3, 0.6, 0.9, 0.9)
    assert lock_step(rows, LockThresholds(capture=0.25)) == 10
    assert lock_step(rows, LockThresholds(capture=0.7, after=1)) == 30
    assert lock_step(rows, LockThresholds(capture=0.7)) is None
