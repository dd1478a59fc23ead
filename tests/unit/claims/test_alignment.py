"""Early alignment, and what shared history or the inputs make of it."""

import pytest

from hodograph.claims.alignment import Alignment
from planted.claims import arm, evidence, table, verdict

PART = Alignment(arm="opd", later=("sft",), control="coin")


def aligned(end, rest, inputs=0.3, noise=0.01):
    """Sim_16 at the first checkpoint in both forms, and of updates with the same inputs."""

    def make(seed):
        more = noise * seed
        return table(
            sim16_end=[end + more, 0.8, 0.9, 0.95, 1.0],
            sim16_disjoint=[None if rest is None else rest + more, 0.5, 0.5, 0.5, None],
            sim16_input_null=inputs,
            sim16_chance=0.125,
        )

    return arm(make)


def study(opd, sft, coin=(0.2, 0.2)):
    return evidence(opd=aligned(*opd), sft=aligned(*sft, noise=0.015), coin=aligned(*coin))


def test_early_and_first_in_both_forms_and_beyond_inputs_holds():
    found = study((0.8, 0.75), (0.4, 0.3))
    row = PART.row(PART.finding(found))
    assert row.verdict == "holds"
    assert row.ours == "opd 81.0 %, sft 41.5 %"
    assert row.null == (
        "chance 12.5 %, to the rest of the way 76.0 %, "
        "random updates, same inputs 30.0 %, coin 21.0 %"
    )


@pytest.mark.parametrize(
    ("opd", "sft", "expected"),
    [
        ((0.3, 0.3), (0.2, 0.2), "does not hold"),  # not aligned
        ((0.8, 0.75), (0.9, 0.9), "does not hold"),  # not before
        ((0.8, 0.75), (0.79, 0.7), "does not hold"),  # ahead by less than `least`
        ((0.8, 0.03), (0.4, 0.03), "holds, explained by shared history"),
        ((0.8, 0.75, 0.75), (0.4, 0.3, 0.36), "holds, explained by inputs"),
        ((0.8, 0.75, None), (0.4, 0.3, None),
         "undetermined (whether the inputs explain it was not examined)"),
        ((0.8, None), (0.4, 0.3), "undetermined (no disjoint form)"),
        ((0.8, 0.5), (0.4, 0.3), "undetermined (the interval reaches across the threshold)"),
    ],
)  # fmt: skip
def test_each_verdict(opd, sft, expected):
    assert verdict(PART, study(opd, sft)) == expected


def test_a_control_that_aligns_as_early_leaves_it_open():
    found = study((0.8, 0.75), (0.4, 0.3), coin=(0.8, 0.75))
    assert verdict(PART, found) == "undetermined (coin aligns as early)"


def test_one_seed_and_missing_arms_are_undetermined():
    found = study((0.8, 0.75), (0.4, 0.3))
    alone = evidence(**{name: {0: seeds[0]} for name, seeds in found.arms.items()})
    assert verdict(PART, alone) == "undetermined (one seed)"
    plain = evidence(opd=found.arms["opd"], sft=found.arms["sft"])
    assert PART.finding(plain).notes == ("coin is missing",)
    without = evidence(opd=found.arms["opd"])
    assert verdict(PART, without) == "undetermined (sft was not trained)"
