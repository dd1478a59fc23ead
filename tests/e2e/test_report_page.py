"""The pages in a real browser: they ask for nothing, fit narrow screens, and show the numbers."""

import pytest

from hodograph.report import render
from planted.browser import CHROMIUM, browser
from planted.measurement import measurement_rows, write_measurement, write_study

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed to open pages")


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    root = tmp_path_factory.mktemp("pages")
    large = measurement_rows(layers=36, steps=(100,), storages=("float32",))
    return {
        "study": render(write_study(root / "study", (0, 1), ("sft", "opd", "rlvr"))),
        "measurement": render(write_measurement(root / "run", measurement_rows())),
        "large": render(write_measurement(root / "large", large)),
    }


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.mark.parametrize("name", ["study", "measurement", "large"])
@pytest.mark.parametrize("width", [1200, 400])
def test_a_page_fits_its_viewport_and_asks_for_nothing(pages, tab, name, width):
    tab.open(pages[name], width)
    assert tab.evaluate("window.innerWidth") == width
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.evaluate("document.querySelectorAll('figure svg').length") >= 4
    asked = [event["request"]["url"] for event in tab.named("Network.requestWillBeSent")]
    assert asked == [pages[name].resolve().as_uri()]
    assert not tab.named("Runtime.exceptionThrown")
    assert not tab.named("Runtime.consoleAPICalled")
    assert not tab.named("Log.entryAdded")


@pytest.mark.parametrize("width", [1200, 400])
def test_no_drawing_reaches_beyond_its_figure(pages, tab, width):
    tab.open(pages["study"], width)
    outside = """[...document.querySelectorAll('.panel svg text')].filter(text => {
        const box = text.getBoundingClientRect();
        const around = text.closest('svg').getBoundingClientRect();
        return box.left < around.left - 1 || box.right > around.right + 1;
    }).map(text => text.textContent)"""
    assert tab.evaluate(outside) == []


def test_planted_numbers_are_visible(pages, tab):
    tab.open(pages["measurement"], 1200)
    text = tab.evaluate("document.body.innerText")
    for planted in ("28.0 (null 28.1)", "3.00 to 5.00", "caution 7/21", "840, of which 0 changed"):
        assert planted in text or planted in tab.evaluate("document.body.textContent")
    tab.open(pages["study"], 400)
    text = tab.evaluate("document.body.innerText")
    for planted in ("From anchor, W0 0a51b2c3 (seed 0), 1a51b2c3 (seed 1)", "1.16–1.28", "± 1.4"):
        assert planted in text


def test_dark_and_light_follow_the_reader(pages, tab):
    seen = {}
    for dark in (False, True):
        tab.open(pages["measurement"], 1200, dark=dark)
        paper = tab.evaluate("getComputedStyle(document.body).backgroundColor")
        ink = tab.evaluate("getComputedStyle(document.querySelector('figure svg text')).fill")
        seen[dark] = (paper, ink)
    assert seen[False] == ("rgb(255, 255, 255)", "rgb(22, 25, 29)")
    assert seen[True] == ("rgb(20, 23, 26)", "rgb(232, 234, 236)")


def test_text_contrasts_with_its_background(pages, tab):
    """WCAG AA, 4.5 to 1, of ink, muted text, links and warnings, on paper and tint."""
    ratio = """(() => {
        const channel = value => (value /= 255) <= 0.04045
            ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
        const luminance = hex => [1, 3, 5].map(at => channel(parseInt(hex.slice(at, at + 2), 16)))
            .reduce((sum, value, at) => sum + value * [0.2126, 0.7152, 0.0722][at], 0);
        const style = getComputedStyle(document.documentElement);
        const of = name => luminance(style.getPropertyValue(name).trim());
        const pairs = [['--ink', '--paper'], ['--muted', '--paper'], ['--link', '--paper'],
            ['--ink', '--tint'], ['--alarm', '--alarm-tint'], ['--ink', '--alarm-tint']];
        return pairs.map(([a, b]) => {
            const [x, y] = [of(a), of(b)].sort((one, two) => two - one);
            return (x + 0.05) / (y + 0.05);
        });
    })()"""
    for dark in (False, True):
        tab.open(pages["measurement"], 1200, dark=dark)
        assert min(tab.evaluate(ratio)) >= 4.5
