"""Paths that leave a reference's as its share falls."""

import pytest

from hodograph.claims.departure import Departure
from planted.claims import arm, evidence, table, verdict

SHARES = {"m75": 0.75, "m50": 0.5, "m5": 0.05, "m0": 0.0}
PART = Departure(reference="own", shares=SHARES, metric="stable_rank")


def away(by):
    return arm(lambda seed: table(stable_rank=5.0 * (1 + 0.002 * seed) * (1 + by + 0.003 * seed)))


def study(**by):
    return evidence(own=away(0.0), **{name: away(one) for name, one in by.items()})


def test_a_path_that_departs_once_the_share_is_small_holds():
    row = PART.row(PART.finding(study(m75=0.01, m50=0.03, m5=0.3, m0=0.5)))
    assert row.verdict == "holds"
    assert row.numbers[-1].mean == pytest.approx(1)  # Kendall's tau
    assert "between seeds of own" in row.null


@pytest.mark.parametrize(
    ("by", "fails"),
    [
        ({"m75": 0.01, "m50": 0.02, "m5": 0.03, "m0": 0.04}, "m5 (share 0.05) departs"),
        ({"m75": 0.3, "m50": 0.4, "m5": 0.5, "m0": 0.6}, "m75 (share 0.75) stays"),
    ],
)
def test_what_fails_is_named(by, fails):
    row = PART.row(PART.finding(study(**by)))
    assert row.verdict == "does not hold"
    assert fails in row.reason.split(";")[0]


def test_distances_that_fall_with_the_share_are_not_monotone():
    row = PART.row(PART.finding(study(m75=0.08, m50=0.06, m5=0.4, m0=0.2)))
    assert row.numbers[-1].mean == pytest.approx(1 / 3)
    near = PART.row(PART.finding(study(m75=0.08, m50=0.06, m5=0.02, m0=0.01)))
    assert near.numbers[-1].mean == pytest.approx(-1)
    assert "farther as shares fall (Kendall's tau −1.00): does not hold" in near.reason


def test_shares_on_both_sides_are_needed():
    with pytest.raises(ValueError, match="both sides of small"):
        Departure(reference="own", shares={"a": 0.5, "b": 0.4, "c": 0.3}, metric="stable_rank")


def test_a_missing_arm_is_said():
    assert verdict(PART, study(m75=0.01, m50=0.03, m5=0.3)) == "undetermined (m0 was not trained)"
