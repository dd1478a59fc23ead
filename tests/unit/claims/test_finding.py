"""Checks and the verdict they make together."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hodograph.claims.finding import CAUSES, Check, over_seeds, placed, reason, verdict
from hodograph.statistics.paired import Interval

HOLDS = Check("a", "holds")
FAILS = Check("b", "does not hold")
OPEN = Check("c", "undetermined", "one seed")
STORAGE = Check("d", "holds", causes=("storage",))
BOTH = Check("e", "holds", causes=("displacement", "storage"))
MOVED = Check("f", "holds", causes=("displacement",))
UNRESOLVED = Check("g", "holds", unresolved="norms do not overlap")


@pytest.mark.parametrize(
    ("checks", "expected"),
    [
        ([HOLDS], "holds"),
        ([HOLDS, FAILS, OPEN], "does not hold"),
        ([HOLDS, OPEN, OPEN, MOVED], "undetermined (one seed)"),
        ([STORAGE], "holds, explained by storage"),
        ([BOTH, STORAGE], "holds, explained by storage"),  # what explains all comes first
        ([BOTH, MOVED], "holds, explained by displacement"),
        ([BOTH], "holds, explained by displacement"),
        ([STORAGE, MOVED], "holds, explained by displacement"),
        ([HOLDS, STORAGE], "holds, explained by storage"),  # a part of it is no geometry
        ([UNRESOLVED, STORAGE], "holds, explained by storage"),
        ([UNRESOLVED, HOLDS], "undetermined (norms do not overlap)"),
        ([Check("h", "holds", causes=("shared history",))], "holds, explained by shared history"),
        ([Check("i", "holds", causes=("inputs",))], "holds, explained by inputs"),
    ],
)
def test_several_checks_make_one_verdict_in_any_order(checks, expected):
    assert {verdict(order) for order in permutations(checks)} == {expected}


CHECKS = st.builds(
    Check,
    what=st.sampled_from("xyz"),
    word=st.sampled_from(["holds", "does not hold", "undetermined"]),
    why=st.just("one seed"),
    causes=st.lists(st.sampled_from(CAUSES), unique=True, max_size=2).map(tuple),
    unresolved=st.sampled_from(["", "no null"]),
)


@given(st.lists(CHECKS, min_size=1, max_size=5), CHECKS)
def test_another_check_never_makes_a_claim_hold(checks, more):
    if verdict(checks) in ("does not hold",) or verdict(checks).startswith("undetermined (one"):
        assert not verdict([*checks, more]).startswith("holds")
    if verdict([*checks, more]) == "holds":
        assert verdict(checks) == "holds"


def test_the_reason_names_what_fails_first():
    assert reason([HOLDS, OPEN, FAILS]).split("; ") == [
        "b: does not hold", "c: undetermined (one seed)", "a: holds",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (1.0, 2.0, "holds"),  # both ends on the thresholds
        (1.0, 2.0001, "undetermined"),
        (0.9999, 1.5, "undetermined"),
        (0.5, 1.0, "undetermined"),  # touches
        (0.5, 0.9999, "does not hold"),
        (2.0001, 3.0, "does not hold"),
        (0.0, 3.0, "undetermined"),
    ],
)
def test_an_interval_is_placed_by_its_ends(low, high, word):
    assert placed(Interval((low + high) / 2, low, high, 3), 1.0, 2.0)[0] == word


def test_one_seed_has_no_interval():
    assert placed(over_seeds([1.5]), 1.0, 2.0) == ("undetermined", "one seed")
