import html
import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from hodograph.report import render
from hodograph.report.glossary import glossary
from hodograph.report.page import flat
from hodograph.tables.columns import BY_NAME
from planted.measurement import (
    ARM_SIZES,
    matrix_row,
    measurement_rows,
    run_record,
    write_measurement,
    write_study,
)


class Rows(HTMLParser):
    """The page's table rows as lists of cell texts, and the ids it uses."""

    def __init__(self, page):
        super().__init__()
        self.rows, self.ids, self.open = [], [], False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.ids += [value for name, value in attrs if name == "id"]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self.open = True
        if tag == "small" and self.open:
            self.rows[-1][-1] += " | "

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.open = False

    def handle_data(self, data):
        if self.open:
            self.rows[-1][-1] += data.strip()

    def row(self, head):
        return next(row for row in self.rows if row and row[0].split(" | ")[0] == head)


def page_of(folder):
    return render(folder).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    return page_of(write_measurement(tmp_path_factory.mktemp("run"), measurement_rows()))


@pytest.fixture(scope="module")
def studied(tmp_path_factory):
    return page_of(write_study(tmp_path_factory.mktemp("study")))


def test_summary_row_has_mean_interval_median_and_null(measured):
    row = Rows(measured).row("Stable rank")
    assert row == ["Stable rank", "", "4.00", "3.00 to 5.00", "4.00", "–", "–", "21"]
    assert Rows(measured).row("Low-magnitude overlap, α = .3")[2:6] == [
        "38.0", "38.0 to 38.0", "38.0", "37.9 | strata 37.8 | 100 % of the mean",
    ]  # fmt: skip


def test_every_missing_value_says_why(measured, studied):
    for page in (measured, studied):
        dashes = re.findall(r"<t[dh]([^>]*)>–", page)
        assert dashes
        assert all('title="' in attributes for attributes in dashes)


def test_unreliable_values_are_greyed_with_their_flag(measured):
    assert re.search(r'class=" unsure">7\.00<small class="flag">caution 7/21', measured)


def test_a_measurement_shows_its_scope_and_what_was_skipped(measured):
    assert "21 matrices" in measured
    assert "model.norm.weight" in measured
    assert "not a matrix" in measured


def test_warnings_come_before_any_number(tmp_path):
    folder = write_measurement(tmp_path, measurement_rows(), warnings=["Step 100 is identical."])
    page = page_of(folder)
    assert page.index("Step 100 is identical.") < page.index("<table")


def test_no_update_at_all_gives_reasons_and_no_figures_of_nothing(tmp_path):
    row = matrix_row(0, "q_proj", 100, "float32")
    empty = {
        name: None
        for name in row
        if BY_NAME[name].family in ("rotation", "shift", "landing", "energy", "spectrum", "path")
    }
    page = page_of(write_measurement(tmp_path, [row | empty | {"flags": ["no_update"]}]))
    assert "Not drawn: Stable rank: no update: every matrix equals its base." in page
    assert Rows(page).row("no_update")[3] == "1"
    assert "Overlap with W0" not in page


def test_a_missing_null_gives_the_reason_of_the_table(tmp_path):
    nulls = {name: None for name in BY_NAME if name.startswith("overlap") and "_null" in name}
    reason = {"null_reason": "stored in bfloat16: D is already rounded"}
    rows = [row | nulls | reason for row in measurement_rows(storages=("bfloat16",))]
    page = page_of(write_measurement(tmp_path, rows))
    assert 'title="stored in bfloat16: D is already rounded"' in page
    assert Rows(page).row("Low-magnitude overlap, α = .3")[5] == "– | strata 37.8"


def test_a_study_row_has_the_planted_numbers(studied):
    row = Rows(studied).row("opd")
    assert row[:4] == ["opd | opd, chain", "100 × 2.0×10⁻⁵ | Σ 0.00200",
                       "55.1 → 74.2 | ± 1.4", "float32"]  # fmt: skip
    assert row[4:7] == ["58.7 | null 58.9", "1.16", "0.250 | null 0.0700"]
    assert row[-4:] == ["28.0 | null 28.1", "38.0 | null 37.9", "3.20 → 4.00", "locked"]


def test_bfloat16_rows_leave_out_what_does_not_depend_on_storage(studied):
    row = next(row for row in Rows(studied).rows if row and row[0] == "bfloat16")
    assert len(row) == 7
    assert row[-2:] == ["6.20 → 7.00 | caution 4/12", "not locked"]


def test_the_lock_stands_beside_what_it_rests_on(measured):
    # stable ranks are 2 + layer + step / 100: from step 20 on, 4 / 3.2 in the middle layer
    locked, not_locked = (row for row in Rows(measured).rows if row[1:2] and "locked" in row[1])
    why = "21 of 21 matrices are locked | whether their inputs explain it was not examined"
    assert locked[1:] == ["locked", why, "100", "100 to 100", "–", "20.0", "1.25"]
    why = "0 of 21 matrices are locked"
    assert not_locked[1:] == ["not locked", why, "0", "0 to 0", "–", "–", "–"]


def test_inputs_that_explain_a_lock_stand_beside_it(tmp_path):
    captures = {"capture16": 0.9, "capture16_by_inputs": 0.85, "capture16_input_null": 0.94}
    rows = [row | captures for row in measurement_rows(storages=("float32",))]
    page = page_of(write_measurement(tmp_path, rows))
    row = next(row for row in Rows(page).rows if row[1:2] == ["locked, explained by inputs"])
    assert "a random update with the same inputs explains 21 of them" in row[2]
    assert "it captures 0.85 of the rest, and 0.94 of another such update" in row[2]
    assert row[5] == "21 of 21 | 100 to 100 %"


def test_seeds_that_differ_in_the_lock_are_counted(tmp_path):
    write_study(tmp_path, seeds=(0, 1), arms=("opd",))
    summary = tmp_path / "seed_1" / "opd" / "measurement" / "summary.json"
    content = json.loads(summary.read_text())
    content["lock"]["float32"]["verdict"] = "undetermined"
    summary.write_text(json.dumps(content))
    assert Rows(page_of(tmp_path)).row("opd")[-1] == "locked (1); undetermined (1)"


def test_one_seed_is_said_plainly_and_equal_budgets_raise_no_caution(studied):
    assert "One seed: no interval over seeds." in studied
    assert "budgets" not in studied.split("<h2>Comparison</h2>")[0]


def test_stages_are_listed_with_their_accuracy(studied):
    page = Rows(studied)
    stages = page.rows.index(["Stages"])
    assert page.rows[stages + 1][0] == "anchor"
    assert page.rows[stages + 1][-2] == "55.1 → 74.2 | ± 1.4"


def test_an_accuracy_without_its_start_says_so(tmp_path):
    write_study(tmp_path, arms=("opd",))
    content = json.loads((tmp_path / "study.json").read_text())
    content["runs"][0]["accuracy"] = {"end": 0.5473}
    (tmp_path / "study.json").write_text(json.dumps(content))
    page = page_of(tmp_path)
    assert Rows(page).row("anchor")[-2] == "– → 54.7"
    assert 'title="the start was not evaluated"' in page


def test_two_seeds_show_mean_range_and_each_seed(tmp_path):
    page = page_of(write_study(tmp_path, (0, 1), ("opd", "sft")))
    row = Rows(page).row("opd")
    assert row[5] == "1.22 | 1.16–1.28"
    assert "One seed" not in page
    each = next(row for row in Rows(page).rows if row[:2] == ["opd", "1"])
    assert each[2:] == ["74.2 | null 55.1", "56.4 | null 56.6", "1.28", "0.766 | null 0.500",
                        "1.28 | null 1.15", "4.00"]  # fmt: skip
    assert "the range over seeds" in page


def test_three_seeds_judge_every_ordering(tmp_path):
    write_study(tmp_path, (0, 1, 2), ("opd", "sft"))
    page = Rows(page_of(tmp_path))
    assert ["Relative norm: opd 1.28 % < sft 2.17 % (means over 3 seeds)."] in page.rows
    # sizes 1 and 1.7, times 1.16 % and (1, 1.1, 1.2): angles 60 times as large, on one curve
    place = next(
        i for i, row in enumerate(page.rows) if row[0].startswith("Mean principal angle, r")
    )
    row = page.rows[place + 1]
    assert row[:2] == ["sft − opd", "explained by displacement"]
    assert row[2].split(" | ") == ["0.536°", "0.415 to 0.657", "beyond seed noise"]
    assert row[3].split(" | ")[2:] == ["norm 1.28 %", "explained; accounts for 100 %"]
    content = json.loads((tmp_path / "orderings.json").read_text())
    said = content["origins"][0]["orderings"][0]["pairs"][0]["sentence"]
    assert said in html.unescape((tmp_path / "report.html").read_text())


def test_one_seed_is_compared_over_layers_and_left_undetermined(studied):
    assert "undetermined | one shared seed" in [
        row[1] for row in Rows(studied).rows if len(row) == 6
    ]
    assert "layers are the unit, seeds are not" in studied


def test_different_starts_are_grouped_and_named(tmp_path):
    write_study(tmp_path, arms=("opd", "sft"))
    content = json.loads((tmp_path / "study.json").read_text())
    content["runs"][-1] |= {"w0_digest": "ffffeeee11", "student": "base", "learning_rate_sum": 1.0}
    (tmp_path / "study.json").write_text(json.dumps(content))
    page = page_of(tmp_path)
    heads = [row[0] for row in Rows(page).rows if len(row) == 1]
    assert heads[:2] == ["From anchor, W0 0a51b2c3", "From base, W0 ffffeeee"]
    assert "The arms start from 2 different W0." in page


def test_differing_budgets_are_cautioned(tmp_path):
    write_study(tmp_path, arms=("opd", "sft"))
    content = json.loads((tmp_path / "study.json").read_text())
    content["runs"][-1]["learning_rate_sum"] = 0.006
    (tmp_path / "study.json").write_text(json.dumps(content))
    assert "budgets (learning rate × steps) differ between arms" in page_of(tmp_path)


def test_an_arm_without_measurement_is_kept_and_said(tmp_path):
    write_study(tmp_path, arms=("opd",))
    content = json.loads((tmp_path / "study.json").read_text())
    content["runs"].append(run_record("rlvr", measurement=None, accuracy={}))
    (tmp_path / "study.json").write_text(json.dumps(content))
    page = page_of(tmp_path)
    assert "Not measured, so shown with accuracy alone: rlvr (seed 0)." in page
    assert 'title="this arm was not measured"' in page


def test_warnings_of_measurements_reach_the_study(tmp_path):
    write_study(tmp_path, arms=("opd",))
    measurement = tmp_path / "seed_0/opd/measurement"
    write_measurement(measurement, measurement_rows(), warnings=["Step 3 is odd."])
    assert "opd, seed 0: Step 3 is odd." in page_of(tmp_path)


def test_runs_that_failed_are_said_on_top(tmp_path):
    write_study(tmp_path, arms=("opd",))
    content = json.loads((tmp_path / "study.json").read_text())
    content["failures"] = {"seed_0/rlvr": "the loss is not finite"}
    (tmp_path / "study.json").write_text(json.dumps(content))
    page = page_of(tmp_path)
    words = "seed_0/rlvr failed: the loss is not finite"
    assert page.index(words) < page.index("<table")


def test_names_are_escaped(tmp_path):
    name = "<b>$x$ & co</b>"
    write_study(tmp_path, arms=("opd", "sft"))
    content = json.loads((tmp_path / "study.json").read_text())
    content["name"] = content["runs"][1]["name"] = name
    (tmp_path / "study.json").write_text(json.dumps(content))
    page = page_of(tmp_path)
    assert name not in page
    assert html.escape(name) in page


def test_rendering_twice_gives_equal_bytes(tmp_path):
    write_study(tmp_path, arms=("opd",))
    assert page_of(tmp_path) == page_of(tmp_path)


def test_a_study_of_five_arms_stays_small(studied):
    assert len(studied.encode()) < 2_000_000
    assert all(f">{arm}, mean " in studied for arm in ARM_SIZES)


def test_ids_are_unique(studied):
    ids = Rows(studied).ids
    assert len(ids) == len(set(ids)) > 0


def test_nothing_is_linked_or_loaded(measured, studied):
    for page in (measured, studied):
        assert "src=" not in page
        linked = re.findall(r"href=\"(?!#)([^\"]*)", page)
        places = {link.split("/")[0] for link in linked}
        assert places == {"explorer.html", "figures", "tables"}
        assert "http" not in re.sub(r'http-equiv|xmlns(?::xlink)?="[^"]*"', "", page)
        assert "<script" not in page


def test_a_run_with_its_own_page_is_linked(tmp_path):
    write_study(tmp_path, arms=("opd",))
    render(tmp_path / "seed_0/opd/measurement")
    assert '<a href="seed_0/opd/measurement/report.html">opd</a>' in page_of(tmp_path)


def test_the_glossary_repeats_the_declared_formulas(measured):
    for entry in glossary():
        assert (
            html.escape(entry.column.formula, quote=False) in html.unescape(measured)
            or html.escape(entry.column.formula) in measured
        )


def test_settings_are_flattened():
    assert flat({"a": {"b": 1, "c": {"d": [1, 2]}}, "e": "x"}) == [
        ("a.b", "1"), ("a.c.d", "[1, 2]"), ("e", "x"),
    ]  # fmt: skip


def test_reporting_never_loads_torch():
    code = "import sys, hodograph.report; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
