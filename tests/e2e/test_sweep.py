"""`hodograph sweep` on checkpoints: values, orders, page, resumption, bad input."""

import json

import pyarrow.parquet as pq
import pytest
import torch

from hodograph.cli.sweep import order_lines
from hodograph.cli.sweep import sweep as sweep_command
from hodograph.engine.sweep import SweepSettings
from hodograph.errors import CheckpointError, HodographError, SettingsError
from hodograph.measurement import measure
from hodograph.report import render
from hodograph.sweep import named_runs, sweep
from hodograph.tables.sweep_summary import summarise_sweep

SMALL = {"angle_ks": (2, 8), "mask_ranks": (4, 64), "similarity_ks": (2, 16)}


@pytest.fixture(scope="module")
def runs(tmp_path_factory, write_checkpoint):
    """Two run folders from one W0; the second goes three times as far."""
    folder, generator = tmp_path_factory.mktemp("runs"), torch.Generator().manual_seed(1)
    names = [f"model.layers.{i}.self_attn.{m}_proj.weight" for i in range(2) for m in "qk"]

    def random():
        return {name: torch.randn(24, 24, generator=generator) for name in names}

    base = random()
    for run, size in (("near", 1e-3), ("far", 3e-3)):
        for step in (0, 5, 10):
            way = random()
            moved = {name: base[name] + size * step * way[name] for name in names}
            write_checkpoint(folder / run / "checkpoints" / f"step_{step}", moved)
    return folder


@pytest.fixture(scope="module")
def swept(runs, tmp_path_factory):
    out = tmp_path_factory.mktemp("sweep")
    return out, sweep(named_runs([runs / "near", runs / "far"]), out=out, **SMALL)


def test_values_at_the_measurements_settings_are_the_measurements(runs, swept):
    table = swept[1].table
    base, tuned = named_runs([runs / "near"])["near"]
    measured = measure(base, tuned).matrices
    last = measured[measured["step"] == 10].set_index("parameter")
    near = table[table["run"] == "near"]
    for choice, setting, metric, column in (
        ("alpha", 0.3, "overlap_principal", "overlap_principal_30"),
        ("r", 64, "overlap_principal", "overlap_principal_30"),
        ("alpha", 0.5, "overlap_low", "overlap_low_50"),
        ("hill_k", 11, "hill", "hill_11"),
    ):
        rows = near[
            (near["choice"] == choice) & (near["setting"] == setting) & (near["metric"] == metric)
        ].set_index("parameter")
        assert len(rows) == 4
        for name, value in rows["value"].items():
            assert value == pytest.approx(last.loc[name, column], rel=1e-9)
    first = measured[measured["step"] == 5].set_index("parameter")
    similar = near[(near["choice"] == "K") & (near["setting"] == 16)].set_index("parameter")
    for name, value in similar["value"].items():
        assert value == pytest.approx(first.loc[name, "sim16_end"], rel=1e-9)


def test_the_order_of_the_runs_is_told_for_every_choice(swept):
    summary = swept[1].summary
    angles = [one for one in summary["orders"] if one["metric"] == "angle_left_mean"]
    assert [(one["choice"], one["same"]) for one in angles] == [("k", True)]
    assert angles[0]["settings"][0]["order"] == ["near", "far"]
    assert "angle_left_mean: near < far for every k." in order_lines(summary)


def test_an_order_that_depends_on_the_choice_is_told_setting_by_setting(swept):
    table = swept[1].table.copy()
    here = (table["choice"] == "k") & (table["setting"] == 8) & (table["run"] == "near")
    table.loc[here, "value"] = 80.0
    summary = summarise_sweep(table, {"near": "w", "far": "w"}, 0)
    (line,) = [line for line in order_lines(summary) if line.startswith("angle_left")]
    assert line == ("angle_left_mean: the order depends on k: near < far at 2; far < near at 8.")


def test_runs_of_different_w0_are_not_ordered(swept):
    summary = summarise_sweep(swept[1].table, {"near": "w", "far": "other"}, 0)
    assert summary["orders"] == []
    assert order_lines(summary) == ["The runs are not ordered: the runs start from different W0."]


def test_what_a_matrix_has_no_room_for_is_lowered_and_counted(swept):
    means = swept[1].summary["means"]
    lowered = {(m["choice"], m["setting"]): m["lowered"] for m in means if m["run"] == "far"}
    assert lowered["r", 64] == 4
    assert lowered["k", 8] == 0
    assert {m["n"] for m in means if m["choice"] == "hill_k" and m["setting"] == 32} == {0}


def test_the_page_shows_figures_and_orders(swept):
    page = render(swept[0]).read_text()
    assert "Mean principal angle, left, against k" in page
    assert "near &lt; far" in page
    assert page.count("<figure") == 7


def test_a_finished_sweep_is_kept_and_other_settings_are_not(runs, swept):
    out = swept[0]
    before = (out / "sweep.parquet").stat().st_mtime_ns
    again = sweep(named_runs([runs / "near", runs / "far"]), out=out, **SMALL)
    assert (out / "sweep.parquet").stat().st_mtime_ns == before
    assert again.table.equals(swept[1].table)
    assert list(out.glob("parts-*")) == []


def test_finished_matrices_are_kept_after_an_interruption(runs, tmp_path):
    both = named_runs([runs / "near", runs / "far"])
    whole = sweep(both, **SMALL)

    def interrupt(done, total, name):
        if name.startswith("far") and done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(both, out=tmp_path, on_progress=interrupt, **SMALL)
    assert not (tmp_path / "sweep.json").exists()
    assert len(list(tmp_path.glob("parts-*/*.arrow"))) == 5
    worked = []
    resumed = sweep(both, out=tmp_path, on_progress=lambda *at: worked.append(at), **SMALL)
    assert len(worked) == 2 + 3  # the start of each run, and what was missing of the second
    assert resumed.table.equals(whole.table)


def test_the_command_takes_a_base_and_its_checkpoints(runs, tmp_path, capsys):
    steps = [runs / "near" / "checkpoints" / f"step_{step}" for step in (0, 5, 10)]
    sweep_command(*steps, out=tmp_path)
    said = capsys.readouterr().out
    assert "step_10: overlap_low" in said
    assert "report.html" in said
    assert set(pq.read_table(tmp_path / "sweep.parquet")["run"].to_pylist()) == {"step_10"}
    assert json.loads((tmp_path / "sweep.json").read_text())["orders"] == []


def test_bad_input_says_what_and_the_way_on(runs, tmp_path):
    step = runs / "near" / "checkpoints" / "step_0"
    for paths, words in (
        ([step], "a base and at least one later checkpoint"),
        ([runs / "near", step], "no run folder, but others are"),
        ([runs / "near", runs / "near"], "have one name"),
    ):
        with pytest.raises(SettingsError, match=words):
            named_runs(paths)
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(CheckpointError, match="no checkpoint after step 0"):
        named_runs([tmp_path])
    for changed in ({"alphas": (0.5, 0.3)}, {"alphas": (0.3, 1.2)}, {"hill_ks": (1,)},
                    {"angle_ks": ()}, {"scope": "all of it"}):  # fmt: skip
        with pytest.raises(SettingsError, match=next(iter(changed))):
            SweepSettings(**changed)
    with pytest.raises(HodographError):
        sweep({})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["near"], "runs is a list, no mapping"),
        ("near", "runs is a str, no mapping"),
        ({"near": "step_0"}, r"runs\['near'\] is no pair"),
        ({"near": ("step_0", "step_5")}, r"runs\['near'\] is no pair"),
        ({"near": ("step_0", [])}, r"runs\['near'\] is no pair"),
    ],
)
def test_runs_of_another_form_are_told_the_right_one(given, words):
    with pytest.raises(SettingsError, match=f'{words}.*\n  Write {{"opd": \\("step_0"'):
        sweep(given)


def test_nan_is_refused_with_its_place(runs, tmp_path, write_checkpoint):
    base = {"model.layers.0.self_attn.q_proj.weight": torch.randn(8, 8)}
    spoiled = {name: tensor.clone() for name, tensor in base.items()}
    spoiled["model.layers.0.self_attn.q_proj.weight"][1, 2] = float("nan")
    first, last = (
        write_checkpoint(tmp_path / f"step_{i}", t) for i, t in ((0, base), (1, spoiled))
    )
    with pytest.raises(
        CheckpointError, match=r"q_proj.weight: NaN or infinite weights in .*step_1"
    ):
        sweep({"run": (first, [last])})
