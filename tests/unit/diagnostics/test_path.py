import pytest
import torch

from hodograph.diagnostics.path import Spent, TopVectors, displacement, similarity_to_end
from hodograph.linalg.factor import factor


def top(matrix):
    factors = factor(matrix, 16)
    return TopVectors(factors, factors.numerical_rank)


def test_kappa_is_the_coherence_of_the_steps():
    columns = displacement(0.5, 3.0, Spent(2.0, 0.01, 16))
    assert columns["kappa"] == 0.25
    assert columns["kappa_random_walk"] == 0.25
    assert columns["weight_decay_norm"] == pytest.approx(0.03)


def test_what_was_not_recorded_stays_empty():
    nothing = {"learning_rate_sum": None, "weight_decay_sum": None}
    assert displacement(0.5, 3.0, Spent()) == nothing
    assert displacement(0.5, 3.0, Spent(2.0))["kappa_random_walk"] is None
    assert "kappa" not in displacement(0.5, 3.0, Spent(0.0, 0.0, 0))


def test_kappa_of_a_random_walk_and_of_a_straight_one():
    steps, rate = 400, 0.01
    signs = torch.randint(0, 2, (steps, 5000), generator=torch.Generator().manual_seed(0)) * 2 - 1
    walked = float((rate * signs.double().sum(0)).square().mean().sqrt())
    columns = displacement(walked, 1.0, Spent(rate * steps, 0.0, steps))
    assert columns["kappa"] == pytest.approx(columns["kappa_random_walk"], rel=0.05)
    assert displacement(rate * steps, 1.0, Spent(rate * steps))["kappa"] == 1.0


def test_decay_alone_moves_what_is_said():
    generator = torch.Generator().manual_seed(0)
    base = torch.randn(20, 30, generator=generator, dtype=torch.float64)
    decayed, rate, decay, steps = base.clone(), 1e-3, 0.1, 50
    for _ in range(steps):
        decayed -= rate * decay * decayed
    spent = Spent(rate * steps, rate * decay * steps, steps)
    said = displacement(1.0, float(base.norm()), spent)["weight_decay_norm"]
    assert said == pytest.approx(float((decayed - base).norm()), rel=0.003)


def test_similarity_counts_shared_directions(planted):
    eye = torch.eye(80, dtype=torch.float64)
    weights = torch.arange(20, 4, -1, dtype=torch.float64)
    end = eye[:, :16] * weights @ eye[:16]
    half = eye[:, :16] * weights @ torch.cat([eye[:8], eye[40:48]])
    rows = similarity_to_end([top(half), None, top(end)], k=16)
    assert rows[0]["sim16_end"] == pytest.approx(0.5)
    assert rows[0]["sim16_end_left"] == pytest.approx(1.0)
    assert rows[0]["sim16_chance"] == 16 / 80
    assert rows[1] == {}
    assert rows[2]["sim16_end"] == pytest.approx(1.0)


def test_k_is_lowered_to_the_directions_there_are(planted):
    low = planted([3.0, 2.0, 1.0], rows=60, cols=50)
    rows = similarity_to_end([top(low), top(low)], k=16)
    assert rows[0]["sim16_k"] == 3
    assert rows[0]["sim16_end"] == pytest.approx(1.0)
    narrow = torch.randn(60, 12, generator=torch.Generator().manual_seed(0))
    assert similarity_to_end([top(narrow)], k=16)[0]["sim16_k"] == 6
