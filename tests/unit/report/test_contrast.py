"""Colours of lines and marks stand out from their paper (WCAG 2.2, 1.4.11), in both schemes."""

import re
from importlib.resources import files

import pytest

from hodograph.report.ledger import KINDS
from hodograph.report.standalone import colours


def luminance(colour):
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_black_on_white_is_21():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_lines_marks_and_boxes_contrast_three_to_one(scheme):
    used = colours(scheme)
    names = [name for name in used if name.startswith("arm-")] + ["ink", "muted", "link"]
    assert len(names) == 11
    assert {name: contrast(used[name], used["paper"]) > 3 for name in names} == dict.fromkeys(
        names, True
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_contrasts_four_and_a_half_to_one(scheme):
    used = colours(scheme)
    pairs = [("ink", "paper"), ("muted", "paper"), ("link", "paper"), ("ink", "tint")]
    assert min(contrast(used[a], used[b]) for a, b in pairs) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_verdict_has_a_colour_that_contrasts_as_text_does(scheme):
    sheet = files("hodograph.report").joinpath("templates/page.css").read_text(encoding="utf-8")
    found = dict(re.findall(r"\.verdict\.(\w+) \{ color: var\(--(\w+)\)", sheet))
    assert set(found) == {kind for kind, _ in KINDS.values()}
    used = colours(scheme)
    ratios = {kind: contrast(used[name], used["paper"]) for kind, name in found.items()}
    assert min(ratios.values()) >= 4.5
