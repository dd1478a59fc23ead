import pytest

from hodograph.report.numbers import accuracy, bare, count, percent, quantity, significant


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.01234, "0.0123"),
        (1.0, "1.00"),
        (99.96, "100"),
        (1234.5, "1234"),
        (-2.5e-7, "−2.50×10⁻⁷"),
        (3.2e6, "3.20×10⁶"),
        (0.0, "0"),
    ],
)
def test_significant_digits(value, text):
    assert significant(value) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.516, "51.6"),
        (0.0809, "8.09"),
        (0.99972, "99.9720"),
        (1.0, "100"),
        (1 - 1e-14, "100"),
        (1 - 1e-8, "> 99.9999"),
        (0.0, "0"),
        (1e-9, "1.00×10⁻⁷"),
    ],
)
def test_a_share_is_never_rounded_to_a_0_or_100_it_is_not(share, text):
    assert percent(share) == text


@pytest.mark.parametrize(
    ("share", "text"), [(0.547, "54.7"), (0.99902, "99.9"), (0.9996, "99.9600"), (1, "100")]
)
def test_accuracies_have_one_decimal_unless_that_would_round_them_to_all(share, text):
    assert accuracy(share) == text


def test_missing_values_are_dashes():
    assert quantity(None, "share") == bare(float("nan"), "") == "–"


def test_only_shares_are_per_cent():
    assert quantity(0.25, "share") == "25.0 %"
    assert quantity(0.25, "degrees") == "0.250"


def test_thousands_are_spaced():
    assert count(1234567) == "1\u202f234\u202f567"
