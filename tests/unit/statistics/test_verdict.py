import pytest

from hodograph.statistics.paired import Interval
from hodograph.statistics.verdict import (
    THRESHOLDS,
    Thresholds,
    beyond_seeds,
    explained_share,
    last_word,
    standing,
)

WHOLE = Interval(10.0, 8.0, 12.0, 3)


@pytest.mark.parametrize(
    ("mean", "low", "high", "said"),
    [
        (8.0, 6.0, 9.5, "beyond"),  # most of it is still there
        (11.0, 9.0, 13.0, "beyond"),
        (0.1, -1.0, 1.2, "explained"),  # nothing is left
        (-4.0, -5.0, -3.0, "explained"),  # it flips
        (0.5, 0.4, 0.6, "explained"),  # certainly something, but under a tenth
        (1.5, 1.2, 1.8, "beyond"),  # over a tenth
        (4.0, -3.0, 11.0, "unresolved"),  # nothing or everything: not known
        (5.0, -1.0, 9.0, "explained"),
    ],
)
def test_what_is_left_of_a_difference(mean, low, high, said):
    left = Interval(mean, low, high, 3)
    assert standing(left, WHOLE) == said
    assert standing(-left, -WHOLE) == said


def test_without_an_interval_nothing_is_resolved():
    assert standing(None, WHOLE) == "unresolved"
    assert standing(Interval(0.0, None, None, 1), WHOLE) == "unresolved"


def test_the_remainder_is_a_threshold():
    left = Interval(1.5, 1.2, 1.8, 3)
    assert standing(left, WHOLE, Thresholds(remainder=0.2)) == "explained"
    assert (THRESHOLDS.level, THRESHOLDS.remainder) == (0.95, 0.1)


def test_shares():
    assert explained_share(2.0, 10.0) == pytest.approx(0.8)
    assert explained_share(-1.0, 10.0) == pytest.approx(1.1)
    assert explained_share(None, 10.0) is None
    assert explained_share(1.0, 0.0) is None


def test_seeds():
    assert beyond_seeds(WHOLE)
    assert beyond_seeds(-WHOLE)
    assert beyond_seeds(Interval(1.0, -0.1, 2.1, 3)) is False
    assert beyond_seeds(Interval(1.0, None, None, 1)) is None


NOISE, ONE = Interval(1.0, -1.0, 3.0, 3), Interval(1.0, None, None, 1)


@pytest.mark.parametrize(
    ("difference", "displacement", "storage", "word", "why"),
    [
        (WHOLE, "beyond", "beyond", "geometry", ""),
        (WHOLE, "explained", "beyond", "explained by displacement", ""),
        (WHOLE, "explained", "explained", "explained by displacement", ""),
        (WHOLE, "beyond", "explained", "explained by storage", ""),
        (WHOLE, "unresolved", "explained", "explained by storage", ""),
        (WHOLE, "unresolved", "beyond", "undetermined", "open"),
        (WHOLE, "beyond", "unresolved", "undetermined", "open"),
        (NOISE, "beyond", "beyond", "within seed noise", ""),
        (NOISE, "explained", "explained", "within seed noise", ""),
        (ONE, "beyond", "beyond", "undetermined", "one shared seed"),
    ],
)
def test_the_last_word(difference, displacement, storage, word, why):
    assert last_word(difference, displacement, storage, "open") == (word, why)
