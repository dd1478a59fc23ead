"""Turned updates, held to their definition draw by draw."""

import numpy as np
import pytest
import torch

from hodograph.diagnostics import circle
from hodograph.diagnostics.circle import random_order, turned
from hodograph.diagnostics.strata import CELLS
from hodograph.matrices.update import Update


@pytest.mark.parametrize("entries", [1, 2, 5, 4096, (1 << 17) + 1, (1 << 18) + 9])
def test_the_order_is_that_of_torch_and_so_is_what_is_drawn_after_it(entries):
    generator = torch.Generator().manual_seed((1 << 50) + 991)
    expected = torch.randperm(entries, generator=generator).numpy()
    ours = np.random.RandomState(((1 << 50) + 991) % 2**32)
    assert np.array_equal(random_order(entries, ours), expected)
    following = torch.randint(1 << 20, (3,), generator=generator).tolist()
    assert (ours.randint(1 << 32, size=3, dtype=np.uint32) % (1 << 20)).tolist() == following


def test_large_matrices_take_two_words_an_exchange(monkeypatch):
    monkeypatch.setattr(circle, "FEW", 1000)  # that torch does so too was seen at its own limit
    words = np.random.RandomState(3).randint(1 << 32, size=2000, dtype=np.uint32).tolist()
    expected = list(range(1000))
    for here in range(1000):
        high, low = words[2 * here : 2 * here + 2]
        there = (high * 2**32 + low) % (here + 1)
        expected[here], expected[there] = expected[there], expected[here]
    assert random_order(1000, np.random.RandomState(3)).tolist() == expected


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (64, 64), (173, 131)])
def test_draws_are_those_of_the_definition(shape):
    generator = torch.Generator().manual_seed(0)
    base = torch.randn(shape, generator=generator) * 0.02
    base.view(-1)[::11] = 0.0
    tuned = base + torch.randn(shape, generator=generator) * 1e-4
    tuned.view(-1)[::13] = -0.0
    tuned.view(-1)[0] = 3.4e38  # infinite in bfloat16, wherever it is added
    cell_E = torch.randint(CELLS, (base.numel(),), generator=generator)
    drawn = torch.Generator().manual_seed(8)
    order = torch.randperm(base.numel(), generator=drawn)
    base_E, step_E = base.flatten()[order], (tuned - base).flatten()[order]
    expected = []
    for turn in torch.randint(base.numel(), (4,), generator=drawn).tolist():
        moved_E = (base_E + step_E.roll(turn)).bfloat16() != base_E.bfloat16()
        expected.append(torch.bincount(cell_E[order][moved_E], minlength=CELLS).tolist())
    found = turned(Update(base, tuned, "float32"), cell_E.numpy().astype(np.uint8), 4, 8)
    assert [counts.tolist() for counts in found] == expected
    assert sum(map(sum, expected)) > 0
