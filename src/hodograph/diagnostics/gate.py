"""G1, G5: which changes bfloat16 lets through, for an isotropic Gaussian update.

A weight changes visibly when its update leaves the interval that rounds to the same number. The
width of that interval follows from the exponent of W0 alone, so one scale, that of the update,
predicts the share of visible changes at every exponent.

S strata, as in `strata`.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import erfc

from hodograph.diagnostics.strata import STRATA, Reals
from hodograph.matrices.bits import MANTISSA

BIAS = 127


@dataclass(frozen=True)
class Gate:
    """The isotropic Gaussian update that makes as many visible changes as were seen.

    Attributes:
        scale: standard deviation s of its entries, in the weights' units.
        chance_S: probability that an entry of each stratum visibly changes.
    """

    scale: float
    chance_S: Reals

    def overlap(self, entries_S: Reals, inside_S: Reals) -> float:
        """Predicted share of the changed entries in a mask.

        Args:
            entries_S: entries of each stratum.
            inside_S: those of them in the mask.
        """
        return float(self.chance_S @ inside_S / (self.chance_S @ entries_S))


def gate_of(entries_S: Reals, density: float, *, on_grid: bool) -> Gate | None:
    """Solve the scale for which the expected density is the one seen.

    On the bfloat16 grid: P(change) = erfc(ulp / (2 sqrt(2) s)), the mean of both sides where the
    number below is nearer. Off the grid, W0 is taken as uniform within its rounding interval, of
    width h: P(change) = erfc(r) + (1 - exp(-r²)) / (r sqrt(pi)), r = h / (sqrt(2) s).

    Args:
        entries_S: entries of each stratum of W0.
        density: share of the entries that visibly changed.
        on_grid: whether every entry of W0 is a bfloat16 number.

    Returns:
        The gate, or None where nothing or everything changed: no scale is determined.
    """
    if not 0 < density < 1:
        return None
    from scipy.optimize import root_scalar  # heavy: only where matrices are measured

    below_S, above_S = half_widths()
    share_S = entries_S / entries_S.sum()
    chance = chance_on_grid if on_grid else chance_off_grid
    widths = np.log2(above_S[entries_S > 0])
    found = root_scalar(
        lambda log_scale: float(chance(below_S, above_S, 2.0**log_scale) @ share_S) - density,
        bracket=(widths.min() - 64, widths.max() + 64),  # nothing changes; everything does
        xtol=1e-13,
    )
    scale = 2.0 ** float(found.root)
    return Gate(scale, chance(below_S, above_S, scale))


def half_widths() -> tuple[Reals, Reals]:
    """Distance from a number of each stratum to where rounding turns, toward zero and away."""
    exponent = np.arange(STRATA) // 2
    above_S = 2.0 ** (np.maximum(exponent, 1) - BIAS - MANTISSA - 1)
    nearer_below_S = (np.arange(STRATA) % 2 == 1) & (exponent > 1)
    return np.where(nearer_below_S, above_S / 2, above_S), above_S


def chance_on_grid(below_S: Reals, above_S: Reals, scale: float) -> Reals:
    """Probability that a Gaussian step from the middle of an interval leaves it."""
    return (erfc(below_S / (2**0.5 * scale)) + erfc(above_S / (2**0.5 * scale))) / 2


def chance_off_grid(below_S: Reals, above_S: Reals, scale: float) -> Reals:
    """Probability that a Gaussian step from anywhere in an interval leaves it."""
    ratio_S = (below_S + above_S) / (2**0.5 * scale)
    return erfc(ratio_S) - np.expm1(-(ratio_S**2)) / (ratio_S * np.pi**0.5)
