from hodograph.report.comparison import budgets_differ
from hodograph.report.origins import Arm, origins
from hodograph.report.read import Run
from planted.measurement import run_record


def arm(name, digests, **changed):
    runs = [run_record(name, seed, w0_digest=d, **changed) for seed, d in digests.items()]
    return Arm(name, tuple(Run.model_validate(run) for run in runs), {})


def names(groups):
    return [[one.name for one in group.arms] for group in groups]


def test_arms_of_one_start_are_one_group_over_their_seeds():
    groups = origins([arm("sft", {0: "aa", 1: "bb"}), arm("opd", {0: "aa", 1: "bb"})])
    assert names(groups) == [["sft", "opd"]]
    assert "aa (seed 0)" in groups[0].label
    assert "bb (seed 1)" in groups[0].label


def test_a_control_run_on_one_seed_joins_the_arms_it_shares_that_start_with():
    groups = origins([arm("opd", {0: "aa", 1: "bb"}), arm("control", {0: "aa"})])
    assert names(groups) == [["opd", "control"]]


def test_one_differing_seed_keeps_arms_apart():
    groups = origins([arm("opd", {0: "aa", 1: "bb"}), arm("sft", {0: "aa", 1: "cc"})])
    assert names(groups) == [["opd"], ["sft"]]


def test_arms_without_any_known_start_are_not_put_together():
    groups = origins([arm("one", {0: None}), arm("two", {0: None})])
    assert names(groups) == [["one"], ["two"]]
    assert "unknown" in groups[0].label


def test_budgets_are_compared_within_floating_point():
    same = [arm("a", {0: "aa"}), arm("b", {0: "aa"}, learning_rate_sum=0.002 + 1e-18)]
    assert not budgets_differ(same)
    assert budgets_differ([*same, arm("c", {0: "aa"}, learning_rate_sum=0.004)])
