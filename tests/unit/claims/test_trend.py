"""Paths that go up, down or nowhere, as stored and as bfloat16 shows them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hodograph.claims.finding import over_seeds
from hodograph.claims.trend import Trend
from planted.claims import arm, evidence, table, verdict

BOTH = ("float32", "bfloat16")


def going(to, noise=0.01, narrow=None, storages=BOTH):
    """A stable rank from 10 to `to` times that; in bfloat16 to `narrow` times that."""
    return arm(
        lambda seed: table(
            storages=storages,
            stable_rank=_path(to * (1 + noise * (seed - 1))),
            narrow={"stable_rank": _path((narrow or to) * (1 + noise * (seed - 1)))},
        )
    )


def _path(to):
    return [10.0 * to ** (step / 4) for step in range(5)]


def trend(way, **changed):
    return Trend(**({"arms": {"run": way}, "metric": "stable_rank", "band": 0.2} | changed))


@pytest.mark.parametrize(
    ("to", "way"), [(1.6, "up"), (1.0, "flat"), (0.6, "down"), (1.1, "flat"), (0.9, "flat")]
)
def test_each_path_goes_one_way_alone(to, way):
    found = {one: verdict(trend(one), evidence(run=going(to))) for one in ("up", "flat", "down")}
    assert found == {one: "holds" if one == way else "does not hold" for one in found}


def test_a_change_across_the_band_is_undetermined():
    assert verdict(trend("up"), evidence(run=going(1.2))) == (
        "undetermined (the interval reaches across the threshold)"
    )


def test_what_only_bfloat16_shows_is_explained_by_storage():
    run = evidence(run=going(1.0, narrow=0.5), coin=going(1.0, narrow=0.4))
    part = trend("down", control="coin")
    row = part.row(part.finding(run))
    assert row.verdict == "holds, explained by storage"
    assert "run down as bfloat16 shows it: holds" in row.reason
    assert "−60.0 % in bfloat16" in row.null
    assert [one.what for one in row.numbers] == [
        "log(last / first), run, float32", "log(last / first), run, bfloat16",
    ]  # fmt: skip


def test_what_bfloat16_hides_holds_and_is_told():
    part = trend("up")
    row = part.row(part.finding(evidence(run=going(1.6, narrow=0.5))))
    assert row.verdict == "holds"
    assert "run up as bfloat16 shows it: does not hold" in row.reason


def test_weights_stored_in_16_bits_leave_it_open():
    run = evidence(run=going(1.6, storages=("bfloat16",)))
    assert verdict(trend("up"), run) == (
        "undetermined (the weights are stored in 16 bits, so rounding is part of the value)"
    )
    assert verdict(trend("down"), run) == "does not hold"


@pytest.mark.parametrize(
    ("run", "why"),
    [
        (going(1.6) | {1: going(1.6)[2], 2: arm(lambda seed: table(steps=(10,)))[0]},
         "run has one checkpoint: a path needs two"),
        (arm(lambda seed: table(stable_rank=[0, 1, 2, 3, 4])),
         "run: stable_rank is not above zero, so it has no ratio"),
        ({0: going(1.6)[0]}, "one seed"),
        ({}, "run was not trained"),
    ],
)  # fmt: skip
def test_what_is_missing_is_said(run, why):
    assert verdict(trend("up"), evidence(run=run)) == f"undetermined ({why})"


@given(st.lists(st.floats(-3, 3), min_size=2, max_size=5), st.floats(0.01, 2))
def test_at_most_one_way_holds(changes, band):
    part = trend("up", band=band)
    words = [part._placed(over_seeds(changes), way)[0] for way in ("up", "flat", "down")]
    assert words.count("holds") <= 1
    assert words.count("does not hold") <= 2
