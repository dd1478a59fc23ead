"""The gate against simulated updates, against the rounding itself, and at its edges."""

import numpy as np
import pytest
import torch

from hodograph.diagnostics.gate import gate_of, half_widths
from hodograph.diagnostics.landing import landing
from hodograph.diagnostics.masks import masks_of
from hodograph.diagnostics.strata import STRATA, stratum_of
from hodograph.diagnostics.visibility import look, visibility
from hodograph.linalg.factor import factor
from hodograph.matrices.bits import bits_of
from hodograph.matrices.precision import to_bfloat16

SIZE = 512


@pytest.mark.parametrize("value", [0.0, 2.0**-133, 2.0**-126, 2.0**-125, 1.5 * 2**-125, 1.0, 1.75])
def test_half_widths_are_where_rounding_turns(value):
    stored = torch.tensor([value], dtype=torch.float64)
    below, above = (side[stratum_of(bits_of(stored))[0]] for side in half_widths())
    inside = torch.tensor([value + 0.99 * above, value - 0.99 * below], dtype=torch.float64)
    outside = torch.tensor([value + 1.01 * above, value - 1.01 * below], dtype=torch.float64)
    assert (to_bfloat16(inside).double() == stored).all()
    assert (to_bfloat16(outside).double() != stored).all()


@pytest.mark.parametrize("on_grid", [True, False])
@pytest.mark.parametrize("scale", [3e-6, 3e-5, 3e-4])
def test_predicts_an_isotropic_update(on_grid, scale):
    generator = torch.Generator().manual_seed(0)
    base = torch.randn(SIZE, SIZE, generator=generator) * 0.02
    base = to_bfloat16(base) if on_grid else base
    base[:5] = 0
    tuned = base + torch.randn(SIZE, SIZE, generator=generator) * scale
    columns = visibility(base, tuned)
    assert columns["gate_scale"] == pytest.approx(scale, rel=0.02)
    entries, chance = np.array(columns["exponent_entries"]), np.array(columns["exponent_gate"])
    error = (chance * (1 - chance) * entries) ** 0.5
    assert (np.abs(columns["exponent_changed"] - chance * entries) < 4.5 * error + 2).all()
    masks = masks_of(base, factor(base, 64), rank=64)
    landed = landing(look(masks.base, tuned), masks)
    for name in ("principal_30", "principal_50", "low_30", "low_50"):
        assert landed[f"overlap_{name}_gate"] == pytest.approx(landed[f"overlap_{name}"], abs=0.006)


def test_what_it_predicts_adds_up_to_what_was_seen():
    generator = torch.Generator().manual_seed(1)
    base = torch.randn(60, 50, generator=generator)
    columns = visibility(base, base + torch.randn(60, 50, generator=generator).pow(3) * 1e-3)
    predicted = np.dot(columns["exponent_gate"], columns["exponent_entries"])
    assert predicted == pytest.approx(sum(columns["exponent_changed"]), rel=1e-9)


def one_stratum(exponent):
    entries = np.zeros(STRATA)
    entries[2 * exponent] = 100.0
    return entries


def test_one_exponent_has_a_scale_known_beforehand():
    gate = gate_of(one_stratum(127), 0.3173105, on_grid=True)  # P(|x| > 1) of a normal x
    assert gate.scale == pytest.approx(2**-8, rel=1e-5)
    assert gate.chance_S[2 * 128] == pytest.approx(0.0455003, rel=1e-5)  # P(|x| > 2)
    assert gate.chance_S[2 * 126] == pytest.approx(0.6170751, rel=1e-5)  # P(|x| > 1 / 2)


@pytest.mark.parametrize("density", [1e-7, 0.5, 1 - 1e-7])
@pytest.mark.parametrize("exponent", [0, 1, 127, 250])
@pytest.mark.parametrize("on_grid", [True, False])
def test_solves_at_every_density_and_exponent(density, exponent, on_grid):
    gate = gate_of(one_stratum(exponent), density, on_grid=on_grid)
    assert gate.chance_S[2 * exponent] == pytest.approx(density, rel=1e-6)


@pytest.mark.parametrize("density", [0.0, 1.0])
def test_nothing_or_everything_changed_has_no_scale(density):
    assert gate_of(one_stratum(127), density, on_grid=True) is None
