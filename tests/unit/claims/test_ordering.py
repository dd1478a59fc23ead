"""Orders of arms whose differences have a planted cause."""

import pytest
from pydantic import ValidationError

from hodograph.claims.ordering import Ordering
from planted.claims import STEPS, arm, evidence, table, verdict

NOISE = (0.02, -0.03, 0.01)


def rank(low, high, *, size=(1.0, 1.0), noise=NOISE):
    """Two arms with these stable ranks at each step and sizes of the update."""
    return evidence(
        low=arm(lambda seed: table(size=size[0], stable_rank=low)),
        high=arm(lambda seed: table(size=size[1], stable_rank=high + noise[seed])),
        coin=arm(lambda seed: table(stable_rank=7.0)),
    )


def ordering(**changed):
    return Ordering(**({"arms": ("low", "high"), "metric": "stable_rank"} | changed))


def test_a_difference_nothing_explains_holds():
    part = ordering(control="coin")
    found = part.finding(rank(3.0, 4.0))
    assert part.row(found).verdict == "holds"
    assert found.ours == "low 3.00, high 4.00"
    assert found.null == "coin 7.00"
    (tested,) = found.numbers
    assert (tested.what, tested.n) == ("high - low", 3)
    assert tested.mean == pytest.approx(1.0)
    assert tested.low < 1.0 < tested.high
    assert found.seeds == (0, 1, 2)


def test_the_reversed_order_does_not_hold():
    assert verdict(ordering(), rank(4.0, 3.0)) == "does not hold"


def test_a_difference_too_small_to_matter_does_not_hold():
    small = rank(3.0, 3.01, noise=(0.02, -0.03, 0.01))
    assert verdict(ordering(), small) == "does not hold"
    assert verdict(ordering(least=0.001), small) == "undetermined (within seed noise)"


def test_a_difference_seeds_could_make_is_undetermined():
    assert verdict(ordering(), rank(3.0, 3.5, noise=(1.0, -1.2, 0.4))) == (
        "undetermined (within seed noise)"
    )


def test_what_follows_the_norm_is_explained_by_displacement():
    def angles(size):
        return lambda seed: table(
            size=size, angle_left_mean=[size * step * (1 + 0.01 * seed) for step in STEPS]
        )

    found = evidence(small=arm(angles(1.0)), large=arm(angles(2.0)))
    part = Ordering(arms=("small", "large"), metric="angle_left_mean")
    assert verdict(part, found) == "holds, explained by displacement"


def test_the_norm_does_not_explain_itself():
    sizes = {"small": 1.0, "large": 2.0}
    found = evidence(**{
        name: arm(lambda seed, size=size: table(size=size * (1 + 0.01 * seed)))
        for name, size in sizes.items()
    })  # fmt: skip
    for metric in ("relative_norm", "update_norm"):
        assert verdict(Ordering(arms=("small", "large"), metric=metric), found) == "holds"


def test_what_its_null_repeats_is_explained_by_storage():
    def overlap(low):
        return lambda seed: table(
            overlap_low_30=low + 0.01 * seed, overlap_low_30_null=low + 0.01 * seed
        )

    found = evidence(a=arm(overlap(0.4)), b=arm(overlap(0.5)))
    part = Ordering(arms=("a", "b"), metric="overlap_low_30")
    assert verdict(part, found) == "holds, explained by storage"
    assert "permuted update: a 41.0 %, b 51.0 %" in part.finding(found).null


def test_norms_that_do_not_overlap_leave_it_open():
    assert verdict(ordering(), rank(3.0, 4.0, size=(0.01, 1.0))) == (
        "undetermined (not comparable: norms do not overlap)"
    )


def test_a_chain_fails_with_one_of_its_pairs():
    arms = {name: arm(lambda seed, at=at: table(stable_rank=at + NOISE[seed]))
            for name, at in {"a": 2.0, "b": 4.0, "c": 3.0}.items()}  # fmt: skip
    part = Ordering(arms=("a", "b", "c"), metric="stable_rank")
    row = part.row(part.finding(evidence(**arms)))
    assert row.verdict == "does not hold"
    assert row.reason.startswith("b < c: does not hold")


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"high": arm(lambda seed: table(), seeds=1)}, "one seed"),
        ({"high": {}}, "high was not trained"),
        ({"high": {5: arm(lambda seed: table())[0]}}, "the arms share no seed"),
        ({"high": arm(lambda seed: table(stable_rank=None))}, "high has no value of stable_rank"),
    ],
)
def test_what_is_missing_is_said(changed, why):
    found = {"low": arm(lambda seed: table(stable_rank=1.0 + 0.1 * seed))} | changed
    assert verdict(ordering(), evidence(**found)) == f"undetermined ({why})"


def test_values_and_nulls_are_those_of_the_shared_seeds():
    """The first arm has a third seed, far off, that the second lacks."""

    def overlap(seed):
        value = (0.4, 0.42, 0.9)[seed]
        return table(overlap_low_30=value, overlap_low_30_null=value)

    found = evidence(a=arm(overlap), b=arm(overlap, seeds=2), coin=arm(overlap))
    part = Ordering(arms=("a", "b"), metric="overlap_low_30", control="coin")
    row = part.row(part.finding(found))
    assert row.ours == "a 41.0 %, b 41.0 %"
    assert row.null == "permuted update: a 41.0 %, b 41.0 %, coin 41.0 %"


def test_arms_from_different_w0_are_told():
    found = evidence(
        low=arm(lambda seed: table(stable_rank=1.0)),
        high=arm(lambda seed: table(stable_rank=2.0 + NOISE[seed]), w0="base"),
    )
    part = ordering(control="absent")
    assert part.finding(found).notes == ("low and high start from different W0",)
    assert part.finding(found).null == "absent is missing"


def test_a_step_may_be_named():
    """The order turns on the way: at step 20 it holds, at the end it does not."""
    found = evidence(
        low=arm(lambda seed: table(stable_rank=[2.0, 2.0, 3.0, 4.0, 5.0 + NOISE[seed]])),
        high=arm(lambda seed: table(stable_rank=[3.0 + NOISE[seed], 3.0 + NOISE[seed], 3, 3, 3])),
    )
    assert verdict(ordering(step=20), found) == "holds"
    assert verdict(ordering(step="first"), found) == "holds"
    assert verdict(ordering(), found) == "does not hold"
    assert verdict(ordering(step=25), found) == "undetermined (no checkpoint at step 25)"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"metric": "sharpness"}, "none of the metrics of claims: update_sparsity,"),
        ({"arms": ("low",)}, "at least 2 items"),
        ({"threshold": 1}, "Extra inputs"),
        ({"least": -1}, "greater than or equal to 0"),
        ({"step": 0}, "step"),
    ],
)
def test_mistakes_are_refused(changed, words):
    with pytest.raises(ValidationError, match=words):
        ordering(**changed)
