"""The input null on planted second moments: C is known, and so is what random updates do."""

import pytest
import torch

from hodograph.diagnostics.inputs import (
    beside_inputs,
    captured_by_inputs,
    input_null,
    moment_of,
)
from hodograph.diagnostics.lock import capture

ROWS, COLS, K, DRAWS = 96, 64, 16, 6


def planted_moment(decay=1.0, seed=0, cols=COLS, rank=COLS):
    """C with eigenvalues i^-decay in random directions, and its eigenvectors."""
    generator = torch.Generator().manual_seed(seed)
    square = torch.randn(cols, cols, generator=generator, dtype=torch.float64)
    vectors = torch.linalg.qr(square).Q[:, :rank]
    values = torch.arange(1, rank + 1, dtype=torch.float64) ** -decay
    return (vectors * values) @ vectors.T, vectors, values


def random_update(vectors, values, generator, rows=ROWS):
    z = torch.randn(rows, len(values), generator=generator, dtype=torch.float64)
    return (z * values.sqrt()) @ vectors.T


def leading(update, k=K):
    return torch.linalg.svd(update, full_matrices=False)[2][:k].T


def measured(null, early, rest):
    sigma = torch.linalg.svdvals(rest)
    columns = captured_by_inputs(null, rest, sigma, K)
    return columns | {"capture16": capture(rest, sigma, leading(early))}


def test_updates_of_random_errors_are_captured_as_the_null_says():
    moment, vectors, values = planted_moment()
    null = input_null(moment_of(moment), ROWS, K, DRAWS, seed=0)
    generator = torch.Generator().manual_seed(1)
    early, rest = (random_update(vectors, values, generator) for _ in range(2))
    found = measured(null, early, 30 * rest)  # sizes do not matter
    for name in ("capture16", "capture16_by_inputs"):
        assert found[name] == pytest.approx(found["capture16_input_null"], abs=0.06), name
    assert found["capture16_input_null_se"] < 0.02
    beside = beside_inputs(null, early, leading(early))
    assert beside["input_overlap16"] == pytest.approx(beside["input_overlap16_null"], abs=0.08)
    assert beside["input_energy16"] == pytest.approx(beside["input_energy16_null"], abs=0.05)
    assert beside["input_overlap16_chance"] == beside["input_energy16_chance"] == K / COLS


def test_a_lock_away_from_the_inputs_is_not_captured_by_them():
    moment, vectors, values = planted_moment(decay=2)
    null = input_null(moment_of(moment), ROWS, K, DRAWS, seed=0)
    generator = torch.Generator().manual_seed(1)
    held = torch.randn(ROWS, 4, generator=generator, dtype=torch.float64) @ vectors[:, -4:].T
    noise = random_update(vectors, values, generator)
    found = measured(null, held + 1e-3 * noise, 2 * held)
    assert found["capture16"] > 0.95
    assert found["capture16_input_null"] > 0.9  # such inputs alone would lock another run
    assert found["capture16_by_inputs"] < 0
    assert beside_inputs(null, held, leading(held, 4))["input_overlap16"] < 1e-9


def test_equal_inputs_explain_nothing():
    null = input_null(moment_of(torch.eye(COLS).double()), ROWS, K, DRAWS, seed=0)
    identity = torch.eye(ROWS, COLS, dtype=torch.float64)
    found = beside_inputs(null, identity, leading(identity))
    assert found["input_overlap16_null"] == pytest.approx(K / COLS, abs=0.05)
    assert found["sim16_input_null"] == pytest.approx(K / COLS, abs=0.04)
    assert float(null.energy_K[-1]) == pytest.approx(K / COLS)
    update = torch.randn(ROWS, COLS, generator=torch.Generator().manual_seed(3)).double()
    assert measured(null, update, update)["capture16_input_null"] == pytest.approx(0, abs=0.05)


def test_the_null_is_the_mean_over_independent_pairs_and_its_error_is_honest():
    moment, vectors, values = planted_moment(decay=0.7)
    generator = torch.Generator().manual_seed(5)
    pairs = []
    for _ in range(150):
        early, rest = (random_update(vectors, values, generator) for _ in range(2))
        pairs.append(capture(rest, torch.linalg.svdvals(rest), leading(early)))
    truth = sum(pairs) / len(pairs)
    spectrum = moment_of(moment)
    rest = random_update(vectors, values, generator)
    nulls = [input_null(spectrum, ROWS, K, 4, seed) for seed in range(40)]
    found = [captured_by_inputs(n, rest, torch.linalg.svdvals(rest), K) for n in nulls]
    means = torch.tensor([one["capture16_input_null"] for one in found])
    errors = torch.tensor([one["capture16_input_null_se"] for one in found])
    assert float(means.mean()) == pytest.approx(truth, abs=0.006)
    assert float(errors.square().mean().sqrt()) == pytest.approx(float(means.std()), rel=0.35)


def test_few_rows_see_the_inputs_less_well():
    spectrum = moment_of(planted_moment()[0])
    overlaps = []
    for rows in (32, 96, 2000):
        null = input_null(spectrum, rows, K, DRAWS, seed=0)
        update = random_update(*planted_moment()[1:], torch.Generator().manual_seed(2), rows)
        overlaps.append(beside_inputs(null, update, leading(update))["input_overlap16_null"])
    assert overlaps == sorted(overlaps)
    assert overlaps[0] < 0.75 < 0.9 < overlaps[-1]


def test_fewer_directions_than_k_lower_it():
    null = input_null(moment_of(planted_moment(rank=5)[0]), ROWS, K, DRAWS, seed=0)
    assert null.size == 5
    assert float(null.energy_K[-1]) == pytest.approx(1)
    update = random_update(*planted_moment()[1:], torch.Generator().manual_seed(2))
    found = beside_inputs(null, update, leading(update))
    assert found["input_overlap16_chance"] == 5 / COLS
    assert input_null(moment_of(planted_moment()[0]), 12, K, DRAWS, seed=0).size == 6  # half a side


def test_a_lower_k_of_the_early_update_is_followed():
    null = input_null(moment_of(planted_moment()[0]), ROWS, K, DRAWS, seed=0)
    low = input_null(moment_of(planted_moment()[0]), ROWS, 4, DRAWS, seed=0)
    rest = random_update(*planted_moment()[1:], torch.Generator().manual_seed(2))
    sigma = torch.linalg.svdvals(rest)
    found, expected = (captured_by_inputs(one, rest, sigma, 4) for one in (null, low))
    assert found == pytest.approx(expected, rel=1e-6)


def test_inputs_of_zero_have_no_null():
    assert input_null(moment_of(torch.zeros(COLS, COLS).double()), ROWS, K, DRAWS, seed=0) is None


def test_draws_depend_on_the_seed_alone():
    spectrum = moment_of(planted_moment()[0])
    one, same, other = (input_null(spectrum, ROWS, K, 3, seed) for seed in (1, 1, 2))
    assert torch.equal(one.v_DNK, same.v_DNK)
    assert not torch.equal(one.v_DNK, other.v_DNK)
