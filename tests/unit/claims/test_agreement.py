"""Arms near a reference, or not, and tests that could not tell."""

import pytest

from hodograph.claims.agreement import NO_CONTRAST, Agreement
from hodograph.claims.distances import between_seeds, distance
from hodograph.claims.evidence import AbsentError
from hodograph.claims.ratio import Ratio
from planted.claims import STEPS, arm, evidence, table, verdict


def ranked(times, noise=0.005, **more):
    """A path of stable ranks, `times` those of the reference."""
    return arm(
        lambda seed: table(
            stable_rank=[times * (1 + noise * seed) * (5 + step / 50) for step in STEPS],
            **{name: value * (1 + noise * seed) for name, value in more.items()},
        )
    )


def agreement(**changed):
    given = {"arms": ("near",), "reference": "own", "against": ("other",), "metric": "stable_rank"}
    return Agreement(**(given | {"along": True} | changed))


def test_a_path_within_the_margin_agrees_where_another_does_not():
    found = evidence(own=ranked(1.0), near=ranked(1.05), other=ranked(1.5))
    part = agreement()
    row = part.row(part.finding(found))
    assert row.verdict == "holds"
    assert row.numbers[0].mean == pytest.approx(0.05)
    assert {one.what: one.mean for one in row.nulls} == pytest.approx(
        {"between seeds of own": (0.005 + 0.01 + 0.005 / 1.005) / 3, "other to own": 0.5}, rel=0.01
    )


def test_a_path_beyond_the_margin_does_not():
    found = evidence(own=ranked(1.0), near=ranked(1.3), other=ranked(1.5))
    assert verdict(agreement(), found) == "does not hold"


def test_agreement_of_everything_says_nothing():
    found = evidence(own=ranked(1.0), near=ranked(1.02), other=ranked(0.95))
    assert verdict(agreement(), found) == f"undetermined ({NO_CONTRAST})"


def test_a_margin_the_interval_crosses_is_undetermined():
    noisy = arm(lambda seed: table(stable_rank=6.0 * (1 + 0.06 * seed)))
    found = evidence(own=arm(lambda seed: table(stable_rank=6.0)), near=noisy, other=ranked(2.0))
    assert verdict(agreement(), found).startswith("undetermined (the interval reaches")


def test_agreement_that_the_norm_gives_is_explained_by_displacement():
    """Sparsity is a function of the norm: the other objective lies on the same curve."""

    def sparsity(size):
        values = [1 / (1 + size * step / 50) for step in STEPS]
        return arm(lambda seed: table(size=size * (1 + 0.001 * seed), update_sparsity=values))

    found = evidence(own=sparsity(1.0), near=sparsity(1.02), other=sparsity(2.0))
    part = agreement(metric="update_sparsity", along=False)
    assert verdict(part, found) == "holds, explained by displacement"
    far = arm(lambda seed: table(size=2.0, update_sparsity=0.9))
    assert verdict(part, evidence(**{**found.arms, "other": far})) == "holds"


def test_one_of_several_others_is_enough():
    found = evidence(own=ranked(1.0), near=ranked(1.02), other=ranked(1.5))
    part = agreement(against=("other", "absent"))
    assert verdict(part, found) == "holds"
    assert part.finding(found).notes == ("absent is missing",)
    assert verdict(agreement(against=("absent",)), found) == "undetermined (absent was not trained)"
    assert verdict(agreement(arms=("near", "absent")), found) == (
        "undetermined (absent was not trained)"
    )


def test_distance_is_over_the_steps_both_have():
    runs = [
        table(stable_rank=[1.0, 2, 3, 4, 5]),
        table(steps=(20, 40, 60), stable_rank=[4.0, 5, 9]),
    ]
    first, second = (run.groupby("step")["stable_rank"].mean() for run in runs)
    assert distance(second, first) == pytest.approx((2 + 1) / (2 + 4))
    assert between_seeds({0: first}) is None
    with pytest.raises(AbsentError, match="reference is zero"):
        distance(first, first * 0)


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ({"least": 1.0}, "holds"),
        ({"least": 1.0, "most": 1.5}, "holds"),
        ({"most": 1.1}, "does not hold"),
        ({"least": 1.3}, "does not hold"),
        ({"least": 1.2}, "undetermined (the interval reaches across the threshold)"),
    ],
)
def test_a_ratio_within_its_bounds(bounds, expected):
    noise = (0.99, 1.0, 1.01)
    found = evidence(
        over=arm(lambda seed: table(update_norm=2.0)),
        run=arm(lambda seed: table(update_norm=2.4 * noise[seed])),
        coin=arm(lambda seed: table(update_norm=1.0)),
    )
    part = Ratio(arm="run", over="over", metric="update_norm", control="coin", **bounds)
    row = part.row(part.finding(found))
    assert row.verdict == expected
    assert (row.ours, row.null) == ("run / over 1.20", "coin / over 0.500")


def test_a_ratio_of_nothing_is_undetermined():
    found = evidence(run=arm(lambda seed: table()), over=arm(lambda seed: table(update_norm=0.0)))
    part = Ratio(arm="run", over="over", metric="update_norm", least=1.0)
    assert verdict(part, found) == (
        "undetermined (update_norm is not above zero, so it has no ratio)"
    )


@pytest.mark.parametrize(
    ("bounds", "words"), [({}, "needs least, most"), ({"least": 2.0, "most": 1.0}, "is above")]
)
def test_a_ratio_needs_bounds(bounds, words):
    with pytest.raises(ValueError, match=words):
        Ratio(arm="a", over="b", metric="nss", **bounds)
