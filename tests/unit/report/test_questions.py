"""A study's page by its questions: what is drawn equals what was planted."""

import html
import json
import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from hodograph.claims.row import LEDGER_FILE, Row
from hodograph.orderings.metrics import ORDERED
from hodograph.report import comparison_figures as figures
from hodograph.report import render
from hodograph.report.ledger import claims, claims_of, counted, verdict
from hodograph.report.made import measurement_made, sweep_made
from hodograph.report.overlaps import landing
from hodograph.report.profiles import profile_of
from hodograph.report.questions import Asked, Compared, asked, not_run
from hodograph.report.read import read_measurement, read_study
from hodograph.report.study import _arms
from hodograph.report.style import looks
from hodograph.report.summary import sentences
from hodograph.report.trajectories import gaussian, null_series
from hodograph.report.values import ACCURACY, METRICS, last_values
from planted.measurement import (
    MODULES,
    comparison,
    ledger_row,
    matrix_row,
    measurement_rows,
    question,
    write_measurement,
    write_study,
)

SHAPES = list(MODULES.values())
LEDGER = [ledger_row("C1", "holds"), ledger_row("C2", "does not hold")]
METRIC = {metric.column: metric for metric in ORDERED}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    first = question(
        "sizes",
        comparison("two", "opd", "sft", shows=("size", "profiles", "overlaps", "orderings")),
        comparison("again", "opd", shows=("lock", "path")),
        values=["accuracy", "update_sparsity", "stable_rank", "angle_right_mean"],
        claims=["C1", "C9"],
    )
    second = question("absent", comparison("none", "gone"))
    folder = write_study(
        tmp_path_factory.mktemp("study"),
        (0, 1, 2),
        ("opd", "sft", "rlvr"),
        questions=[first, second],
        command="hodograph study my.toml --out runs/x",
        redraw="hodograph report runs/x",
    )
    (folder / LEDGER_FILE).write_text(json.dumps(LEDGER))
    return folder


@pytest.fixture(scope="module")
def questions(folder):
    study = read_study(folder)
    return asked(study, _arms(folder, study))


@pytest.fixture(scope="module")
def page(folder):
    return render(folder).read_text(encoding="utf-8")


@pytest.fixture
def axes():
    return Figure().add_subplot()


def rows_of(name, words, **more):
    return Row.model_validate(ledger_row(name, words, **more), strict=False)


def test_arms_are_grouped_and_those_nobody_asks_about_come_last(folder, questions):
    assert [(one.title, [[arm.name for arm in c.arms] for c in one.comparisons])
            for one in questions] == [
        ("Question sizes?", [["opd", "sft"], ["opd"]]), ("Other arms", [["rlvr"]]),
    ]  # fmt: skip
    study = read_study(folder)
    assert not_run(study, _arms(folder, study)) == ["gone"]


def test_without_questions_there_is_one_of_all_arms(tmp_path):
    study = read_study(write_study(tmp_path, arms=("opd", "sft")))
    (only,) = asked(study, _arms(tmp_path, study))
    assert [arm.name for arm in only.comparisons[0].arms] == ["opd", "sft"]


def planted_mean(size, value, *, weighted=False, layers=3):
    """Mean over layers and modules of what the planted rows hold, by their formula."""
    places = [(1 + 0.1 * layer + 0.02 * index, SHAPES[index])
              for layer in range(layers) for index in range(len(SHAPES))]  # fmt: skip
    weights = [m * n if weighted else 1 for _, (m, n) in places]
    return np.average([value(0.01 * size * place) for place, _ in places], weights=weights)


def test_last_values_are_weighted_like_their_nulls(questions):
    table = last_values(questions[0].comparisons[:1], METRIC["update_sparsity"])
    assert list(table["arm"]) == ["opd"] * 3 + ["sft"] * 3
    assert list(table["seed"]) == [0, 1, 2] * 2
    expected = [planted_mean(size * (1 + 0.1 * seed), lambda r: 1 / (1 + 60 * r), weighted=True)
                for size in (1.0, 1.7) for seed in range(3)]  # fmt: skip
    assert table["value"].to_numpy() == pytest.approx(expected)
    assert table["null"].to_numpy() == pytest.approx(np.array(expected) + 0.002)


def test_spectra_of_paths_are_means_over_attention_and_angles_over_all(questions):
    ranks = last_values(questions[0].comparisons[:1], METRIC["stable_rank"])
    assert ranks["value"].to_numpy() == pytest.approx([4.0] * 6)
    assert ranks["null"].isna().all()
    angles = last_values(questions[0].comparisons[:1], METRIC["angle_right_mean"])
    assert angles["value"].iloc[0] == pytest.approx(planted_mean(1, lambda r: 60 * r))


def test_an_accuracy_stands_beside_its_start_and_one_not_evaluated_is_left_out(tmp_path):
    write_study(tmp_path, arms=("opd", "sft"))
    content = json.loads((tmp_path / "study.json").read_text())
    content["runs"][-1]["accuracy"] = {"start": 0.5}
    (tmp_path / "study.json").write_text(json.dumps(content))
    study = read_study(tmp_path)
    (only,) = asked(study, _arms(tmp_path, study))
    table = last_values(only.comparisons, ACCURACY)
    assert table[["arm", "value", "null"]].to_numpy().tolist() == [["opd", 0.742, 0.551]]


def test_a_sentence_says_that_arms_have_unequal_numbers_of_seeds(tmp_path):
    write_study(tmp_path, (0, 1), arms=("opd", "sft"))
    content = json.loads((tmp_path / "study.json").read_text())
    content["runs"] = content["runs"][:-1]
    (tmp_path / "study.json").write_text(json.dumps(content))
    study = read_study(tmp_path)
    ((said,),) = sentences(Asked("i", "?", (), ("accuracy",), (Compared(
        "i-c", "All", tuple(_arms(tmp_path, study)), ()),)), {})  # fmt: skip
    assert said.endswith("from 55.1 % at the start (1 to 2 seeds an arm, range in brackets).")


def drawn(axes):
    return [line.get_xydata().tolist() for line in axes.lines]


def test_dots_show_each_seed_their_range_mean_and_null(axes):
    table = pd.DataFrame({"comparison": ["A", "A", "B"], "arm": ["x", "x", "y"], "seed": [0, 1, 0],
                          "value": [0.1, 0.3, 0.5], "null": [0.2, 0.4, np.nan]})  # fmt: skip
    how = {"A": looks(["x"]), "B": looks(["y"])}
    figures.dots(table, axes, looks=how, metric=METRICS["update_sparsity"])
    # line 0 is A's title, 1 its arm, 2 B's title, 3 its arm; values in per cent
    flat = [np.round(xy, 9).tolist() for xy in drawn(axes)]
    assert [[10, 1], [30, 1]] in flat
    assert [[20, 1]] in flat
    assert [[30, 0.64], [30, 1.36]] in flat
    assert [[50, 3]] in flat
    assert sum(len(xy) == 2 and xy[0][0] == xy[1][0] and xy[0][1] != xy[1][1] for xy in flat) == 1
    assert [label.get_text() for label in axes.get_yticklabels()] == ["x", "y"]
    assert figures.lines_of(table) == 4


def runs(folder, name):
    return [read_measurement(folder / f"seed_{seed}/{name}/measurement") for seed in (0, 1, 2)]


def test_profiles_are_means_over_modules_with_the_range_of_seeds(folder):
    table = profile_of(runs(folder, "opd"), "angle_right_mean", "layer")
    assert list(table["place"]) == [0, 1, 2]
    places = [1 + 0.1 * layer + 0.02 * 3 for layer in range(3)]
    assert table["mean"].to_numpy() == pytest.approx([0.6 * 1.1 * place for place in places])
    assert table["low"].to_numpy() == pytest.approx([0.6 * place for place in places])
    assert table["high"].to_numpy() == pytest.approx([0.6 * 1.2 * place for place in places])
    assert table["null"].to_numpy() == pytest.approx([0.5] * 3)
    modules = profile_of(runs(folder, "opd")[:1], "nss", "module")
    assert list(modules["place"]) == ["q", "k", "v", "o", "gate", "up", "down"]
    assert modules["low"].isna().all()


def test_a_profile_is_drawn_with_its_null_dotted(axes):
    table = pd.DataFrame({"arm": "x", "place": [0, 1], "mean": [1.0, 2.0], "low": np.nan,
                          "high": np.nan, "null": [0.5, 0.25]})  # fmt: skip
    figures.profile(table, axes, looks=looks(["x"]), metric=METRICS["nss"], across="layer")
    assert drawn(axes) == [[[0, 1000], [1, 2000]], [[0, 500], [1, 250]]]
    assert axes.lines[1].get_linestyle() == ":"


def test_landing_is_by_step_and_only_where_all_seeds_are(tmp_path):
    def of(name, steps, density):
        rows = [matrix_row(0, module, step, "float32") | {"density": density * step}
                for module in MODULES for step in steps]  # fmt: skip
        return read_measurement(write_measurement(tmp_path / name, rows))

    table = landing([of("a", (20, 40, 60), 0.01), of("b", (20, 40), 0.012)], "overlap_low_30")
    assert list(table["step"]) == [20, 40]
    assert table["density"].to_numpy() == pytest.approx([0.22, 0.44])
    assert table["overlap"].to_numpy() == pytest.approx([0.38] * 2)
    assert table["null"].to_numpy() == pytest.approx([0.379] * 2)


def test_overlaps_are_drawn_against_density_beside_their_null(axes):
    table = pd.DataFrame({"arm": "x", "step": [1, 2], "density": [0.9, 0.3],
                          "overlap": [0.3, 0.7], "null": [0.31, 0.69]})  # fmt: skip
    figures.overlap_against_density(table, axes, looks=looks(["x"]), chance=0.3)
    assert drawn(axes)[0] == [[0.3, 0.7], [0.9, 0.3]]
    assert drawn(axes)[1] == [[0.3, 0.69], [0.9, 0.31]]
    assert axes.lines[2].get_ydata()[0] == 0.3


def test_nulls_along_a_path(folder):
    arms = {"opd": runs(folder, "opd")[:1]}
    norms = null_series(arms, "update_norm")
    last = norms[(norms["step"] == 100) & (norms["storage"] == "float32")]["null"].item()
    places = [1 + 0.1 * layer + 0.02 * index for layer in range(3) for index in range(4)]
    assert last == pytest.approx(8 * 0.01 * np.mean(places) * 0.07 / 0.25)
    sparsity = null_series(arms, "update_sparsity")
    expected = planted_mean(1, lambda r: 1 / (1 + 60 * r), weighted=True) + 0.002
    assert sparsity[sparsity["step"] == 100]["null"].to_numpy() == pytest.approx([expected] * 2)
    assert null_series(arms, "stable_rank").empty
    attention = SHAPES[:4]
    assert gaussian(arms) == pytest.approx(
        np.mean([m * n / (m**0.5 + n**0.5) ** 2 for m, n in attention])
    )


@pytest.mark.parametrize(
    ("words", "kind", "shape"),
    [
        ("holds", "holds", "●"),
        ("holds, explained by displacement", "explained", "◐"),
        ("does not hold", "fails", "✕"),
        ("undetermined (one seed)", "open", "○"),
        ("something new", "open", "○"),
    ],
)
def test_verdicts_differ_in_colour_and_shape(words, kind, shape):
    assert (verdict(words).kind, verdict(words).shape, verdict(words).words) == (kind, shape, words)


def test_claims_are_counted_and_variants_belong_to_their_question():
    found = claims([rows_of("C1", "holds"), rows_of("C1 unmatched", "does not hold"),
                    rows_of("C10", "holds"), rows_of("C2", "undetermined (one seed)")])  # fmt: skip
    assert counted(found) == (
        "Of 4 claims tested, 2 hold (C1, C10); 1 does not hold (C1 unmatched);"
        " 1 is undetermined (C2)."
    )
    assert [one.row.id for one in claims_of(found, ("C1",), {"C1"})] == ["C1", "C1 unmatched"]
    named = {"C1", "C1 unmatched"}
    assert [one.row.id for one in claims_of(found, ("C1",), named)] == ["C1"]
    assert [one.row.id for one in claims_of(found, ("C1 unmatched",), named)] == ["C1 unmatched"]


def test_sentences_state_accuracies_and_locks(questions):
    (two, again) = sentences(questions[0], {})
    assert two == [
        "Of two: accuracy opd 74.2 %, sft 74.2 %, from 55.1 % at the start"
        " (3 seeds, range in brackets)."
    ]
    assert again[-1] == "Of again: lock: opd locked (3 seeds)."


def test_the_page_follows_the_questions_and_links_claims(page):
    marks = ("summary", "question-sizes", "comparison-sizes-two", "comparison-sizes-again",
             "question-arms", "ledger", "runs")  # fmt: skip
    order = [page.index(f'id="{mark}"') for mark in marks]
    assert order == sorted(order)
    assert "Of 2 claims tested, 1 holds (C1); 1 does not hold (C2)." in page
    summary = page[order[0] : order[1]]
    assert '<a href="#claim-C1">C1</a>' in summary
    assert "claim-C2" not in summary
    assert "<li>C9: not tested in this study.</li>" in summary
    assert '<tbody id="claim-C1">' in page
    assert '<span class="verdict fails"><span aria-hidden="true">✕</span> does not hold' in page
    assert "Asked about but not run, so absent below: gone." in page
    words = html.unescape(page)
    assert "Of two: Update sparsity: sft " in words


def test_ids_are_unique_over_comparisons_and_links_lead_somewhere(page):
    ids = re.findall(r' id="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]*)"', page)) <= set(ids)


MADE = "hodograph study my.toml --out runs/x  # drawn again by: hodograph report runs/x"


def test_every_figure_says_what_made_it(page, folder):
    captions = re.findall(r"<figcaption>.*?</figcaption>", page, flags=re.DOTALL)
    assert len(captions) > 8
    assert all(f'<code class="made">{MADE}</code>' in caption for caption in captions)
    drawings = list((folder / "figures").glob("*.svg"))
    assert len(drawings) > 8
    assert all(f"Made by: {MADE}</desc>" in file.read_text() for file in drawings)
    printed = MADE.encode("utf-16-be").hex().encode()
    assert all(printed in file.read_bytes() for file in (folder / "figures").glob("*.pdf"))


def test_a_measurement_says_so_too(tmp_path):
    path = render(write_measurement(tmp_path, measurement_rows(layers=2, storages=("float32",))))
    said = "hodograph measure runs/anchor runs/step_20 … runs/step_100 --scope linear"
    rest = "all settings: summary.json; drawn again beside it by: hodograph report ."
    assert f'<code class="made">{said}  # {rest}</code>' in path.read_text()
    assert said in (tmp_path / "figures" / "stable_rank-float32.svg").read_text()


def test_inputs_and_paths_with_blanks_are_in_the_command(tmp_path):
    rows = measurement_rows(layers=2, steps=(20, 40), storages=("float32",))
    folder = write_measurement(tmp_path, rows, inputs={
        "source": "my texts.txt", "kind": "texts", "texts": 3, "cut": 0, "tokens": 9, "draws": 4,
    })  # fmt: skip
    said = measurement_made(read_measurement(folder).summary)
    command = "hodograph measure runs/anchor runs/step_20 runs/step_40 --inputs 'my texts.txt'"
    assert said.startswith(f"{command} --scope linear  # ")


def test_a_sweep_says_its_run_folders_or_one_run_its_checkpoints():
    ends = {name: {"base": f"runs/{name}/checkpoints/step_0", "steps": [5],
                   "checkpoints": [f"runs/{name}/checkpoints/step_5"]}
            for name in ("near", "far")}  # fmt: skip
    assert sweep_made({"runs": ends, "scope": "linear"}).startswith(
        "hodograph sweep runs/near runs/far --scope linear  # all settings: sweep.json;"
    )
    assert sweep_made({"runs": {"near": ends["near"]}, "scope": "all"}).startswith(
        "hodograph sweep runs/near/checkpoints/step_0 runs/near/checkpoints/step_5 --scope all"
    )
    elsewhere = {name: {"base": "W0", "checkpoints": [name], "steps": [5]} for name in "ab"}
    assert sweep_made({"runs": elsewhere, "scope": "all"}).startswith(
        "hodograph sweep W0 a --scope all; hodograph sweep W0 b --scope all  # "
    )
