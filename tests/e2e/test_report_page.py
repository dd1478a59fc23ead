"""The pages in a real browser: they ask for nothing, fit narrow screens, and show the numbers."""

import json
import shutil

import pytest

from hodograph.claims.row import LEDGER_FILE
from hodograph.report import render
from hodograph.report.standalone import colours
from planted.browser import CHROMIUM, browser
from planted.gates import write_account
from planted.measurement import (
    comparison,
    ledger_row,
    measurement_rows,
    question,
    run_record,
    write_measurement,
    write_study,
)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed to open pages")


VERDICTS = {
    "holds": "holds",
    "explained": "holds, explained by displacement",
    "fails": "does not hold",
    "open": "undetermined (one seed)",
}
SECTIONS = ("summary", "question-sizes", "question-paths", "gates", "ledger", "runs")


def write_whole_study(folder):
    """Two questions, a claim of each verdict, and the gates of two arms."""
    sizes = question("sizes", comparison("two", "sft", "opd", shows=("size", "orderings")),
                     claims=["C1", "C2"])  # fmt: skip
    paths = question("paths", comparison("all", "sft", "opd", "rlvr", shows=("path", "heat_maps")),
                     comparison("last", "rlvr", shows=("lock",)), claims=["C3", "C4"])  # fmt: skip
    write_study(folder, (0, 1), ("sft", "opd", "rlvr"), questions=[sizes, paths])
    rows = [ledger_row(f"C{n + 1}", words) for n, words in enumerate(VERDICTS.values())]
    (folder / LEDGER_FILE).write_text(json.dumps(rows))
    study = json.loads((folder / "study.json").read_text())
    for run in study["runs"]:
        if run["name"] in ("sft", "opd"):
            run["gates"] = f"{run['folder']}/gates"
            write_account(folder / run["gates"])
    (folder / "study.json").write_text(json.dumps(study))
    return folder


def write_large_study(folder):
    """Six arms of 24 layers x 7 modules x 5 checkpoints."""
    runs = [run_record(f"arm_{place}", w0_digest="0a51b2c3") for place in range(6)]
    first, *others = (folder / run["measurement"] for run in runs)
    write_measurement(first, measurement_rows(24, storages=("float32",)), digest="0a51b2c3")
    for other in others:
        shutil.copytree(first, other)
    study = {"name": "large", "description": "", "seeds": [0], "settings": {}, "versions": {},
             "notes": [], "runs": runs, "command": "hodograph study large.toml --out large",
             "redraw": "hodograph report large"}  # fmt: skip
    (folder / "study.json").write_text(json.dumps(study))
    return folder


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    root = tmp_path_factory.mktemp("pages")
    large = measurement_rows(layers=36, steps=(100,), storages=("float32",))
    return {
        "study": render(write_whole_study(root / "study")),
        "measurement": render(write_measurement(root / "run", measurement_rows())),
        "large": render(write_measurement(root / "large", large)),
    }


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def complaints(tab):
    """Exceptions, and whatever the page or the browser wrote to the console."""
    names = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
    return [event for name in names for event in tab.named(name)]


@pytest.mark.parametrize("name", ["study", "measurement", "large"])
@pytest.mark.parametrize("width", [1600, 400])
def test_a_page_fits_its_viewport_and_asks_for_nothing(pages, tab, name, width):
    tab.open(pages[name], width)
    assert tab.evaluate("window.innerWidth") == width
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.evaluate("document.querySelectorAll('figure svg').length") >= 4
    asked = [event["request"]["url"] for event in tab.named("Network.requestWillBeSent")]
    assert asked == [pages[name].resolve().as_uri()]
    assert complaints(tab) == []


def test_a_large_study_loads_and_draws_every_figure(tmp_path, tab):
    page = render(write_large_study(tmp_path))
    tab.open(page, 1200)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 1200
    assert tab.evaluate("document.querySelectorAll('figure svg').length") > 6 * 6
    end = "[...document.querySelectorAll('figure svg')].at(-1)"
    tab.evaluate(f"{end}.scrollIntoView()")
    assert tab.evaluate(f"{end}.getBoundingClientRect().height") > 100
    assert complaints(tab) == []


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1600, 1000, 700, 400])
def test_every_section_of_a_study_is_seen_in_its_colours(pages, tab, width, dark):
    tab.open(pages["study"], width, dark=dark)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    for ident in SECTIONS:
        assert tab.evaluate(f"document.getElementById('{ident}').offsetHeight") > 60, ident
    assert [rgb(one) for one in verdict_colours(tab)] == [
        channels(colours("dark" if dark else "light")[name])
        for name in ("holds", "explained", "alarm", "muted")
    ]
    words = [tab.evaluate(f"document.querySelector('#ledger .verdict.{kind}').innerText")
             for kind in VERDICTS]  # fmt: skip
    assert [one.split(" ", 1)[1] for one in words] == list(VERDICTS.values())
    summary = tab.evaluate("document.getElementById('summary').innerText")
    assert "Of 4 claims tested, 1 holds (C1)" in summary
    assert all(f"{name} claim of {name}: " in summary for name in ("C1", "C2", "C3", "C4"))
    tab.evaluate("document.querySelector('#gates .figures').scrollIntoView()")
    boxes = tab.evaluate("""[...document.querySelectorAll('#gates figure svg')].map(one => {
        const box = one.getBoundingClientRect();
        return [box.left, box.right, box.height];
    })""")
    assert len(boxes) == 3
    assert all(left >= 0 and right <= width and height > 50 for left, right, height in boxes)
    assert complaints(tab) == []


def verdict_colours(tab):
    """As the browser writes them, in the ledger, in the order of VERDICTS."""
    return [
        tab.evaluate(f"getComputedStyle(document.querySelector('#ledger .verdict.{kind}')).color")
        for kind in VERDICTS
    ]


def rgb(colour):
    return tuple(int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(","))


def channels(colour):
    return tuple(int(colour[at : at + 2], 16) for at in (1, 3, 5))


def test_the_keyboard_reaches_the_details_of_a_claim_and_the_downloads(pages, tab):
    tab.open(pages["study"], 1200)
    focused = follow(tab, "ledger")
    assert focused["label"] == "Ledger of claims"
    summary = step(tab)
    assert (summary["tag"], summary["seen"]) == ("SUMMARY", True)
    tab.press("Enter", 13, "\r")
    assert tab.evaluate("document.activeElement.parentElement.open")
    assert "level = 0.05" in tab.evaluate("document.activeElement.parentElement.innerText")
    reached = [step(tab) for _ in range(len(VERDICTS) - 1 + 3)]
    assert [one["href"] for one in reached[-3:]] == [
        f"tables/ledger.{kind}" for kind in ("csv", "tex", "parquet")
    ]
    assert all(one["seen"] for one in reached)
    follow(tab, "gates")
    reached = [step(tab) for _ in range(3 + 2 * 3)]
    assert [one["href"] for one in reached if (one["href"] or "").startswith("figures/")] == [
        f"figures/gate-{gate}.{kind}" for gate in (1, 2, 3) for kind in ("svg", "pdf")
    ]
    assert all(one["seen"] for one in reached)


def step(tab):
    """Press Tab; what has the focus then, and whether a ring shows it."""
    tab.press("Tab", 9)
    return tab.evaluate("""(() => {
        const one = document.activeElement;
        return {tag: one.tagName, href: one.getAttribute('href'), label: one.ariaLabel,
            seen: getComputedStyle(one).outlineStyle !== 'none'};
    })()""")


def follow(tab, section):
    """Go to a section from the list on top with the keyboard alone; return what comes after."""
    tab.evaluate("document.querySelector('nav[aria-label] a').focus()")
    for _ in SECTIONS:
        if step(tab)["href"] == f"#{section}":
            break
    tab.press("Enter", 13, "\r")
    tab.until(f"location.hash === '#{section}'")
    return step(tab)


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
    """WCAG AA: 4.5 to 1 of ink, muted text, links, warnings and verdicts, 3 to 1 of the arms."""
    ratio = """(pairs => {
        const channel = value => (value /= 255) <= 0.04045
            ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
        const luminance = hex => [1, 3, 5].map(at => channel(parseInt(hex.slice(at, at + 2), 16)))
            .reduce((sum, value, at) => sum + value * [0.2126, 0.7152, 0.0722][at], 0);
        const style = getComputedStyle(document.documentElement);
        const of = name => luminance(style.getPropertyValue(name).trim());
        return pairs.map(([a, b]) => {
            const [x, y] = [of(a), of(b)].sort((one, two) => two - one);
            return (x + 0.05) / (y + 0.05);
        });
    })"""
    texts = [[name, "--paper"] for name in ("--ink", "--muted", "--link", "--holds", "--explained",
                                            "--alarm")]  # fmt: skip
    texts += [["--ink", "--tint"], ["--alarm", "--alarm-tint"], ["--ink", "--alarm-tint"]]
    marks = [[f"--arm-{index}", "--paper"] for index in range(8)]
    for dark in (False, True):
        tab.open(pages["study"], 1200, dark=dark)
        assert min(tab.evaluate(f"{ratio}({json.dumps(texts)})")) >= 4.5
        assert min(tab.evaluate(f"{ratio}({json.dumps(marks)})")) >= 3


def explore(tab, page, width=1200, dark=False):
    """Open the explorer beside a page and wait until it is drawn."""
    explorer = page.with_name("explorer.html")
    tab.open(explorer, width, dark=dark)
    drawn(tab)
    return explorer


def drawn(tab):
    tab.until("['drawn', 'failed'].includes(document.body.dataset.state)")
    assert tab.evaluate("document.body.dataset.state") == "drawn", status(tab)


def status(tab):
    return tab.evaluate("document.getElementById('status').textContent")


def told(tab):
    """What the status line says: where, the value, its null (None where there is none)."""
    where, numbers = status(tab).removesuffix(".").split(": ")
    value, null = (part.removesuffix(" %") for part in numbers.split(", null "))
    return where, float(value), None if null == "–" else float(null)


def near(value):
    """Equal to the digits shown."""
    return pytest.approx(value, rel=4e-3)


def choose(tab, control, value):
    """Set one of the explorer's boxes as a reader would, and wait for the charts."""
    tab.evaluate(f"""(() => {{
        const box = document.getElementById('{control}');
        box.value = '{value}';
        box.dispatchEvent(new Event('change'));
    }})()""")
    drawn(tab)


def middle(tab, selector, place=0):
    """Middle of the chart mark at that place, scrolled into view."""
    return tab.evaluate(f"""(() => {{
        const mark = document.querySelectorAll('{selector}')[{place}];
        mark.scrollIntoView({{block: 'center'}});
        const box = mark.getBoundingClientRect();
        return [box.left + box.width / 2, box.top + box.height / 2];
    }})()""")


@pytest.mark.parametrize("width", [1600, 400])
@pytest.mark.parametrize("name", ["study", "large"])
def test_the_explorer_fits_its_viewport_and_asks_for_nothing(pages, tab, name, width):
    explorer = explore(tab, pages[name], width)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.evaluate("document.querySelectorAll('.chart svg.marks').length") == 3
    asked = [event["request"]["url"] for event in tab.named("Network.requestWillBeSent")]
    assert [url for url in asked if not url.startswith("data:")] == [explorer.resolve().as_uri()]
    assert complaints(tab) == []
    assert explorer.stat().st_size < 2_000_000


def test_the_explorer_answers_its_boxes_with_planted_numbers(pages, tab):
    """SFT's relative norm: .017 in seed 0, a tenth more in seed 1, 1.16 of it mean over places."""
    explore(tab, pages["study"])
    before = tab.evaluate("document.querySelector('#trajectory svg').outerHTML")
    choose(tab, "metric", "relative_norm")
    assert told(tab) == ("sft, step 100, all matrices", near(0.017 * 1.05 * 1.16), None)
    assert tab.evaluate("document.querySelector('#trajectory svg').outerHTML") != before
    choose(tab, "step", "20")
    choose(tab, "arm", "rlvr")
    assert told(tab) == ("rlvr, step 20, all matrices", near(0.009 * 1.05 * 1.16 / 5), None)
    choose(tab, "layer", "2")
    choose(tab, "module", "k_proj")
    assert told(tab) == ("rlvr, step 20, layer 2, k", near(0.009 * 1.05 * 1.22 / 5), None)
    choose(tab, "metric", "stable_rank")
    assert told(tab) == ("rlvr, step 20, layer 2, k", near(4.2), None)
    choose(tab, "storage", "bfloat16")
    assert told(tab) == ("rlvr, step 20, layer 2, k", near(7.2), None)
    choose(tab, "metric", "update_sparsity")
    _, value, null = told(tab)
    assert null - value == pytest.approx(0.2, abs=0.11)
    assert tab.evaluate("document.getElementById('storage').disabled")
    choose(tab, "metric", "relative_norm")
    tab.evaluate("document.getElementById('log').click()")
    drawn(tab)
    assert complaints(tab) == []  # on a logarithmic scale


def test_a_click_on_a_cell_links_the_charts_and_a_second_leaves(pages, tab):
    explore(tab, pages["study"])
    choose(tab, "metric", "relative_norm")
    tab.click(*middle(tab, "#layers .mark-rect path"))
    drawn(tab)
    assert told(tab) == ("sft, step 100, layer 0, q", near(0.017 * 1.05), None)
    assert tab.evaluate("document.getElementById('trajectory-title').textContent").endswith(
        "layer 0, q"
    )
    tab.click(*middle(tab, "#layers .mark-rect path"))
    drawn(tab)
    assert "all matrices" in status(tab)


def test_clicks_on_a_row_and_on_the_trajectory_choose_arm_and_step(pages, tab):
    explore(tab, pages["study"])
    rows = "#arms .mark-symbol path"
    arms = tab.evaluate(
        f"[...document.querySelectorAll('{rows}')].map(one => one.__data__.datum.arm)"
    )
    tab.click(*middle(tab, rows, arms.index("opd")))
    drawn(tab)
    assert status(tab).startswith("opd, step 100")
    marks = "#trajectory .mark-symbol path"
    found = tab.evaluate(
        f"[...document.querySelectorAll('{marks}')].map(one => one.__data__.datum.step)"
    )
    tab.click(*middle(tab, marks, found.index(40)))
    drawn(tab)
    assert ", step 40, " in status(tab)
    assert tab.evaluate("document.getElementById('step').value") == "40"


def test_hovering_tells_the_values_and_brings_the_arm_forward(pages, tab):
    explore(tab, pages["study"])
    marks = "#arms .mark-symbol path"
    arms = tab.evaluate(
        f"[...document.querySelectorAll('{marks}')].map(one => one.__data__.datum.arm)"
    )
    tab.mouse("mouseMoved", *middle(tab, marks, arms.index("rlvr")))
    tab.until("document.querySelector('#vg-tooltip-element.visible') !== null")
    tooltip = tab.evaluate("document.querySelector('#vg-tooltip-element').innerText")
    assert "rlvr" in tooltip
    assert "null" in tooltip
    tab.until("""[...document.querySelectorAll('#trajectory .mark-symbol path')].every(one =>
        Number(one.getAttribute('opacity')) === 1 === (one.__data__.datum.arm === 'rlvr'))""")


def test_an_arm_can_be_hidden(pages, tab):
    explore(tab, pages["study"])
    count = "document.querySelectorAll('#trajectory .mark-symbol path').length"
    before = tab.evaluate(count)
    tab.click(*middle(tab, "#keys input"))
    drawn(tab)
    assert tab.evaluate(count) == before * 2 // 3
    tab.click(*middle(tab, "#keys input"))
    drawn(tab)
    assert tab.evaluate(count) == before


def test_the_keyboard_reaches_every_box_of_the_explorer_visibly(pages, tab):
    explore(tab, pages["study"])
    reached = []
    for _ in range(13):
        tab.press("Tab", 9)
        reached.append(
            tab.evaluate("""(() => {
            const one = document.activeElement, ring = one.closest('label, a, select') ?? one;
            const seen = [one, ring].some(box => getComputedStyle(box).outlineStyle !== 'none');
            return [one.id || one.value || one.textContent, seen];
        })()""")
        )
    names = ["metric", "storage", "arm", "step", "layer", "module", "show", "log"]
    assert [name for name, _ in reached[:12]] == ["Report", *names, "sft", "opd", "rlvr"]
    assert all(seen for _, seen in reached)
    tab.evaluate("document.getElementById('metric').focus()")
    before = tab.evaluate("document.getElementById('metric').value")
    tab.press("ArrowDown", 40)
    drawn(tab)
    chosen = tab.evaluate("document.getElementById('metric').value")
    assert chosen != before
    assert chosen in tab.evaluate("document.getElementById('definition').textContent")


def test_the_explorer_follows_dark_and_light_while_it_is_open(pages, tab):
    explore(tab, pages["study"])
    ink = "getComputedStyle(document.querySelector('#trajectory svg .role-axis-label text')).fill"
    assert tab.evaluate(ink) == "rgb(22, 25, 29)"
    dark = {"name": "prefers-color-scheme", "value": "dark"}
    tab.call("Emulation.setEmulatedMedia", media="screen", features=[dark])
    tab.until(f"{ink} === 'rgb(232, 234, 236)'")
    drawn(tab)
    assert complaints(tab) == []
