"""What the explorer holds: planted values, what it leaves out, and its size."""

import base64
import html
import json
import re
import zlib
from importlib.resources import files
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from hodograph.modules import LINEAR
from hodograph.report.explorer.charts import charts, written
from hodograph.report.explorer.page import write_explorer
from hodograph.report.explorer.values import (
    MOST_CELLS,
    ExploredRun,
    axes_of,
    block,
    gathered,
    rounded,
    thinned,
)
from hodograph.report.names import NEEDED_COLUMNS, TITLES
from hodograph.report.page import _environment

SCALES = ("linear", "log")
MODULES = [name for name in LINEAR if "_a_" not in name and "_b_" not in name]


def run(arm="opd", seed=0, layers=2, steps=(10, 20), noise=0.0):
    """A run whose stable rank is 100 layer + 10 module + step / 10 + seed."""
    keys = [(la, m, t) for la in range(layers) for m in range(7) for t in steps]
    layer, module, step = (np.array(part) for part in zip(*keys, strict=True))
    random = np.random.default_rng(seed)
    names = [n for n in NEEDED_COLUMNS if n not in ("flags", "exponents")]
    table = pd.DataFrame({name: 1.0 + noise * random.random(len(keys)) for name in names})
    table["layer"], table["step"], table["storage"] = layer, step, "float32"
    table["module"] = [MODULES[one] for one in module]
    table["stable_rank"] += 100.0 * layer + 10 * module + step / 10 + seed - 1
    table["reliability"] = np.where((layer == 1) & (module == 0), "caution", "ok")
    measurement = SimpleNamespace(table=table, storages=["float32"], steps=list(steps))
    return ExploredRun(arm, seed, "From anchor", measurement)


def values(runs, metric="stable_rank"):
    axes = axes_of(runs)
    return axes, block(axes, metric, gathered(axes))


def test_means_and_cells_are_the_planted_ones():
    axes, held = values([run(seed=0), run(seed=1)])
    assert axes.whole
    assert held["means"] == [81.0, 82.0, 82.0, 83.0]  # 50 + 30 + step / 10 + seed
    cells = np.array(held["cells"]).reshape(2, 2, 2, 7)  # run, step, layer, module
    assert cells[1, 0, 1].tolist() == [102, 112, 122, 132, 142, 152, 162]


def test_doubt_stays_where_it_was():
    _, held = values([run()])
    assert np.array(held["doubt_cells"]).reshape(2, 2, 7)[:, 1, 0].tolist() == [1, 1]
    assert held["doubt_means"] == [0.0714286, 0.0714286]
    assert "doubt_means" not in values([run()], "relative_norm")[1]


def test_a_null_stands_beside_its_metric_and_nothing_beside_one_without():
    assert values([run()], "sim16_end")[1]["null_means"] == [1.0, 1.0]
    assert "null_means" not in values([run()], "relative_norm")[1]


def test_a_metric_without_values_is_none_and_a_missing_matrix_is_a_gap():
    one = run()
    one.measurement.table["nss"] = np.nan
    assert values([one], "nss")[1] is None
    one.measurement.table.loc[0, "stable_rank"] = np.nan
    held = values([one])[1]
    assert held["cells"][0] is None
    assert held["means"][0] == pytest.approx((81 * 14 - 1) / 13, rel=1e-3)


def test_arms_of_other_steps_leave_gaps():
    axes, held = values([run("opd"), run("sft", steps=(10, 30))])
    assert axes.steps == [10, 20, 30]
    assert np.array(held["means"], float).reshape(2, 3)[1].tolist()[::2] == [81.0, 83.0]
    assert held["means"][2] is None
    assert held["means"][4] is None


def test_large_studies_lose_seeds_then_steps_of_single_cells_only():
    seeds = [run("opd", seed, 36, range(10, 510, 10)) for seed in range(3)]
    axes, held = values(seeds)
    assert not axes.seeds_kept
    assert len(held["means"]) == 3 * 50
    assert len(held["cells"]) == len(axes.kept_steps) * 36 * 7
    assert axes.kept_steps == axes.steps
    many = [run(f"arm {arm}", 0, 36, range(10, 210, 10)) for arm in range(12)]
    axes = axes_of(many)
    assert axes.kept_steps == [10, 60, 110, 150, 200]
    assert len(axes.kept_steps) * 36 * 7 * 12 <= MOST_CELLS


def test_the_last_step_of_every_run_is_kept():
    short = run("short", 0, 36, range(10, 100, 10))
    long = [run(f"arm {arm}", 0, 36, range(7, 700, 7)) for arm in range(3)]
    assert {90, 693, 7} <= set(axes_of([short, *long]).kept_steps)


def test_thinned_steps_keep_both_ends():
    assert thinned([1, 2, 3], 5) == [1, 2, 3]
    assert thinned(list(range(1, 101)), 2) == [1, 100]
    assert thinned(list(range(21)), 5) == [0, 5, 10, 15, 20]


def test_rounded_keeps_significant_digits_and_no_nan():
    assert rounded(np.array([1.23456e-7, 98765.0, np.nan, np.inf, 0.0]), 4) == [
        1.235e-7, 98760.0, None, None, 0.0,
    ]  # fmt: skip


def data_of(page, name):
    text = re.search(rf'<script type="[^"]*" id="{name}">(.*?)</script>', page)[1]
    return json.loads(text if name == "explorer" else zlib.decompress(base64.b64decode(text)))


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """36 layers x 7 modules x 20 checkpoints x 12 arms of noise, which compresses worst."""
    runs = [run(f"arm {arm}", arm, 36, range(10, 210, 10), noise=1.0) for arm in range(12)]
    folder = tmp_path_factory.mktemp("large")
    return write_explorer(folder, "large", runs, _environment()).read_text()


def test_the_largest_explorer_is_small_and_says_what_it_left_out(large):
    assert len(large.encode()) < 2_000_000
    held = {one["name"] for one in data_of(large, "explorer")["metrics"]}
    assert len(held) > 20
    assert {"stable_rank", "update_sparsity", "relative_norm", "sim16_end"} <= held
    left_out = re.search(r"Left out for size: (.*?)\.</li>", html.unescape(large))
    told = left_out[1] if left_out else ""
    assert [TITLES[name] for name in TITLES if name not in held and TITLES[name] not in told] == []
    assert "kept at steps 10, 60, 110, 150, 200 of 20;" in large


def test_what_is_in_the_file_is_what_was_planted(large):
    page = data_of(large, "explorer")
    held = data_of(large, "metric-stable_rank")
    assert len(held["means"]) == 12 * 20
    assert page["arms"][11] == "arm 11"
    # the mean over layers and modules of 100 layer + 10 module, and noise about .5
    assert held["means"][0] == pytest.approx(1750 + 30 + 1 + 0.5, abs=0.5)


def test_the_policy_lets_exactly_the_two_scripts_run(large):
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', large)[1]
    assert policy.startswith("default-src 'none';")
    assert policy.count("sha256-") == 2
    assert "unsafe-eval" not in policy
    assert "unsafe-inline" not in policy.split("script-src")[1]
    assert "src=" not in large
    assert "href=" not in large.replace('href="report.html"', "")


def test_names_from_files_end_no_script(tmp_path):
    hostile = run('</script><script>alert("x")</script>')
    text = write_explorer(tmp_path, "<b>title</b>", [hostile], _environment()).read_text()
    assert "<b>" not in text
    assert "alert" not in re.sub(r'<script type="application/json".*?</script>', "", text)
    assert data_of(text, "explorer")["arms"] == ['</script><script>alert("x")</script>']


def test_small_differences_from_the_null_keep_their_digits():
    one = run()
    one.measurement.table["update_sparsity"] = 0.5000123
    one.measurement.table["update_sparsity_null"] = 0.5
    held = values([one], "update_sparsity")[1]
    assert held["difference_cells"][0] == 1.23e-05
    assert "null_cells" not in held
    assert held["null_means"] == [0.5, 0.5]


def test_the_pages_take_the_charts_that_altair_builds():
    kept = files("hodograph.report").joinpath("templates/charts.json").read_text(encoding="utf-8")
    module = "hodograph.report.explorer.charts"
    assert kept == written(), (
        f"run: python -m {module} > src/hodograph/report/templates/charts.json"
    )


def test_charts_have_their_scale_and_the_null():
    found = charts()
    names = {f"{name}-{scale}" for name in ("trajectory", "arms", "layers") for scale in SCALES}
    assert set(found) == names | {"layers-difference"}
    for scale in SCALES:
        assert f'"type": "{scale}"' in json.dumps(found[f"trajectory-{scale}"])
        assert '"null_value"' in json.dumps(found[f"trajectory-{scale}"])
        assert '"null_value"' in json.dumps(found[f"arms-{scale}"])
