from dataclasses import replace
from pathlib import Path

import pytest

from hodograph.placement.anchors import published, ranges
from hodograph.placement.coordinates import COORDINATES, Arm
from hodograph.placement.rule import AMBIGUOUS, verdict
from hodograph.tables.columns import BY_NAME


def arm(scale=1.0, kind=None, *, sparsity=0.5, **fields):
    """All metrics but sparsity are `scale`, so that ln(scale) tells the distance."""
    values = dict.fromkeys(COORDINATES, scale) | {"update_sparsity": sparsity}
    plain = Arm(Path("m"), kind, "w0", "linear", "float32", 100, {}, values, {})
    return replace(plain, **fields)


def spread(sft=4.0, opd=2.0, rlvr=0.5):
    return [arm(sft, "SFT"), arm(opd, "OPD"), arm(rlvr, "RLVR")]


@pytest.mark.parametrize(
    ("scale", "label"),
    [(4.1, "SFT-like"), (1.9, "OPD-like"), (0.52, "RLVR-like"), (1.0, AMBIGUOUS)],
)
def test_the_nearest_own_arm_decides_where_it_is_clear(scale, label):
    assert verdict(arm(scale), spread()).label == label


def test_between_two_kinds_is_ambiguous():
    found = verdict(arm(2.7), spread())
    assert found.label == AMBIGUOUS
    assert "less than a factor of 2 apart" in found.reason


def test_equal_arms_are_ambiguous():
    assert verdict(arm(1.0), spread(1.0, 1.0, 1.0)).label == AMBIGUOUS


def test_several_arms_of_one_kind_are_one_kind():
    assert verdict(arm(2.0), [*spread(), arm(2.1, "OPD")]).label == "OPD-like"


def test_a_control_that_is_as_near_forbids_a_label():
    found = verdict(arm(1.9), [*spread(), arm(1.91, "control")])
    assert found.label == AMBIGUOUS
    found = verdict(arm(1.0), [*spread(), arm(1.0, "control")])
    assert (found.label, "nearest to a control" in found.reason) == (AMBIGUOUS, True)


def test_without_an_arm_of_one_kind_nothing_can_be_like_it():
    """An OPD run against SFT and RLVR alone must not be called either."""
    found = verdict(arm(1.9), [a for a in spread() if a.kind != "OPD"])
    assert found.label == AMBIGUOUS
    assert "no comparable own arm of OPD" in found.reason


def test_arms_of_another_w0_do_not_count():
    others = [replace(one, digest="another") for one in spread()]
    assert verdict(arm(1.9), others).label == AMBIGUOUS


@pytest.mark.parametrize(
    ("sparsity", "label"),
    [
        (0.0, "SFT-like"),
        (0.10, "SFT-like"),
        (0.27, AMBIGUOUS),  # no kind is published there
        (0.40, "RLVR-like"),
        (0.516, AMBIGUOUS),  # all OPD runs lie among RLVR runs
        (0.60, AMBIGUOUS),
        (0.80, "RLVR-like"),
        (0.99, AMBIGUOUS),
    ],
)
def test_published_ranges_decide_where_only_one_holds_the_value(sparsity, label):
    assert verdict(arm(sparsity=sparsity, scope="all"), []).label == label


def test_published_numbers_of_another_scope_decide_nothing():
    found = verdict(arm(sparsity=0.10), [])
    assert found.label == AMBIGUOUS
    assert "--scope all" in found.reason


def test_the_anchors_are_what_the_papers_print():
    assert len(published()) == 29
    assert ranges("update_sparsity") == {
        "SFT": (0.006, 0.188),
        "OPD": (0.486, 0.571),
        "RLVR": (0.363, 0.917),
    }
    assert {anchor.metric for anchor in published()} <= set(BY_NAME)
    assert {anchor.kind for anchor in published()} == {"SFT", "OPD", "RLVR"}
    for anchor in published():
        assert anchor.source.startswith("arXiv ")
        assert anchor.base
        assert anchor.tuned


def test_the_published_kinds_overlap():
    """One OPD run is sparser than several RLVR runs: sparsity alone cannot call a run OPD-like."""
    low, high = ranges("update_sparsity")["RLVR"]
    assert all(low < a.value < high for a in published() if a.kind == "OPD")
    sparsest = max(a.value for a in published() if a.kind == "OPD")
    assert sum(a.value < sparsest for a in published() if a.kind == "RLVR") >= 2
