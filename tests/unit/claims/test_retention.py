"""Accuracy kept or lost under a constraint, and constraints that were no test."""

import json

import pytest

from hodograph.claims.evidence import read_evidence
from hodograph.claims.retention import Retention
from planted.claims import evaluated, evidence, verdict

FREE = (0.90, 0.92, 0.91)


def less(by, noise=0.002):
    """Accuracies that much lower."""
    return evaluated(*(one - by + noise * seed for seed, one in enumerate(FREE)))


def study(confined, random=0.2, frozen=0.4, start=0.5):
    return evidence(free=evaluated(*FREE, start=start), own=less(confined), random=less(random),
                    frozen=less(frozen))  # fmt: skip


def part(expected="kept"):
    return Retention(free="free", confined="own", expected=expected, controls=("random", "frozen"))


@pytest.mark.parametrize(
    ("loss", "kept", "lost"),
    [
        (0.0, "holds", "does not hold"),
        (-0.1, "holds", "does not hold"),
        (0.1, "does not hold", "holds"),
        (0.022, "undetermined (the interval reaches across the threshold)",
         "undetermined (the interval reaches across the threshold)"),
    ],
)  # fmt: skip
def test_a_loss_beside_the_margin(loss, kept, lost):
    assert verdict(part(), study(loss)) == kept
    assert verdict(part("lost"), study(loss)) == lost


def test_the_loss_and_those_of_the_controls_are_told():
    row = part().row(part().finding(study(0.01)))
    assert row.ours == "free 91.0 %, own 90.2 %: loss 0.800 points"
    assert row.null == "random loses 19.8 points, frozen loses 39.8 points"
    assert part().finding(study(0.01)).seeds == (0, 1, 2)


def test_where_every_control_keeps_the_accuracy_nothing_was_tested():
    assert verdict(part(), study(0.0, random=0.0, frozen=0.0)) == (
        "undetermined (no control loses accuracy: nothing was tested)"
    )


def test_random_directions_that_keep_it_too_are_told():
    row = part().row(part().finding(study(0.0, random=0.0)))
    assert row.verdict == "holds"
    assert "random keeps it too" in row.reason


def test_what_was_not_evaluated_is_said():
    absent = evidence(free=evaluated(*FREE), own=evaluated(None, None))
    assert verdict(part(), absent) == "undetermined (own was not evaluated)"
    alone = evidence(free=evaluated(0.9), own=evaluated(0.9), random=evaluated(0.5))
    assert verdict(part(), alone) == "undetermined (one seed)"
    without = evidence(free=evaluated(*FREE, start=0.5), own=less(0.0))
    assert part().finding(without).notes == ("random is missing", "frozen is missing")
    assert verdict(part(), without) == (
        "undetermined (no control loses accuracy: nothing was tested)"
    )


@pytest.mark.parametrize(("expected", "loss"), [("kept", 0.0), ("kept", 0.1), ("lost", 0.1)])
def test_a_free_run_that_gained_too_little_decides_nothing(expected, loss):
    little = study(loss, start=0.82)
    assert verdict(part(expected), little) == (
        "undetermined (the free run gained too little: 9.00 points, 10.0 points are needed)"
    )
    lenient = part(expected).model_copy(update={"gain": 4.0})
    assert verdict(lenient, little) == verdict(part(expected), study(loss))


def test_a_start_that_was_not_evaluated_leaves_the_gain_untested():
    found = part().finding(study(0.0, start=None))
    assert verdict(part(), study(0.0, start=None)) == "holds"
    assert found.notes == ("free was not evaluated at its start: its gain is untested",)


def test_the_start_is_read_where_the_study_says(tmp_path):
    runs = [
        {"name": name, "role": "arm", "seed": seed, "accuracy": {"start": 0.9, "end": 0.92}}
        for name in ("free", "own")
        for seed in range(3)
    ]
    (tmp_path / "study.json").write_text(json.dumps({"name": "small", "runs": runs}))
    assert "gained too little: 2.00 points" in verdict(
        part(), read_evidence(tmp_path, {"free", "own"})
    )
