"""What is left of a study, against folders of which it is known."""

import io
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from hodograph.cli.study import study
from hodograph.cli.study_plan import print_study_plan
from hodograph.studies.estimate import RunEstimate, StudyEstimate, estimate_study
from hodograph.studies.gates import GatesSection
from hodograph.studies.plan import StudyRun, plan
from hodograph.studies.study import load_study

START = "1970-01-01T00:16:40+00:00"  # second 1000
STUDY = """
name = "small"
seeds = [0, 1]

[shared]
steps = 10
task = { type = "chain" }
batch = { prompts = 2 }
optimizer = { lr = 1e-3 }
objective = { type = "sft" }

[arm]
student = { type = "path", path = "@base" }
save = { steps = [5] }

[stages.base.student]
type = "qwen3"
hidden_size = 16
layers = 1
heads = 2
kv_heads = 1
head_dim = 8
intermediate_size = 32

[arms.sft]

[arms.twice]
batch = { prompts = 4 }

[arms.hub]
seeds = [0]
student = { type = "hub", id = "nobody/nothing" }
"""
Left = dict[str, RunEstimate]


def write_run(run: StudyRun, steps: int, seconds: float, finished: bool = False) -> None:
    """A run folder that reached `steps` in so many seconds, as far as its times are read."""
    run.folder.mkdir(parents=True)
    (run.folder / "recipe.json").write_text(json.dumps(run.recipe.as_json()))
    times: dict[str, object] = {"started": [START]}
    if finished:
        times["finished"] = datetime.fromtimestamp(1000 + seconds, UTC).isoformat()
    (run.folder / "provenance.json").write_text(json.dumps(times))
    metrics = run.folder / "metrics.jsonl"
    metrics.write_text("".join(json.dumps({"step": s + 1}) + "\n" for s in range(steps)))
    written = 9000 if finished else 1000 + seconds  # a copied run: its record counts
    os.utime(metrics, (written, written))
    if finished:
        (run.folder / "finished.json").write_text("{}")


def write_measurement(run: StudyRun, seconds: float) -> None:
    write_result(run.measurement / "summary.json", seconds)


def write_result(summary: Path, seconds: float) -> None:
    """A result as far as its times are read."""
    summary.parent.mkdir()
    for path, time in ((summary.with_name(".lock"), 2000.0), (summary, 2000 + seconds)):
        path.write_text("")
        os.utime(path, (time, time))


@pytest.fixture
def runs(tmp_path: Path) -> dict[str, StudyRun]:
    file = tmp_path / "study.toml"
    file.write_text(STUDY)
    return {run.key: run for run in plan(load_study(file), file, tmp_path / "out")}


@pytest.fixture
def left(runs: dict[str, StudyRun]) -> Callable[[], StudyEstimate]:
    return lambda: estimate_study(list(runs.values()), 2, lambda done, total: None)


@pytest.fixture
def gated(runs: dict[str, StudyRun]) -> Callable[[], StudyEstimate]:
    """What is left where the gates of sft and twice are measured too, under twice's scores."""
    section = GatesSection(arms=("sft", "twice"), teacher="twice")
    return lambda: estimate_study(list(runs.values()), 2, lambda done, total: None, section)


def printed(found: StudyEstimate) -> list[str]:
    console = Console(file=io.StringIO(), width=80)
    print_study_plan(console, "small", found)
    return console.file.getvalue().splitlines()


def by_key(found: StudyEstimate) -> Left:
    return {one.run.key: one for one in found.runs}


def test_an_empty_folder_gets_the_least_time_and_sizes(left) -> None:
    found = by_key(left())
    base = found["seed_0/base"]
    assert (base.basis, base.kept.step, base.measuring) == ("least", 0, 0)
    assert base.training > 0
    weights = 24 * 16 + 2 * 16 * 16 + 2 * 8 * 16 + 3 * 16 * 32 + 2 * 8 + 3 * 16
    assert found["seed_0/sft"].size == 3 * 4 * weights  # steps 0, 5 and 10 in float32
    assert found["seed_0/sft"].measuring is None  # nothing to judge it by


def test_time_follows_the_run_then_its_seeds_then_operations(runs, left) -> None:
    write_run(runs["seed_0/base"], 10, seconds=20, finished=True)
    write_run(runs["seed_0/sft"], 4, seconds=12)
    found = by_key(left())
    assert found["seed_0/base"].seconds == 0
    assert (found["seed_1/base"].training, found["seed_1/base"].basis) == (20, "measured")
    assert (found["seed_0/sft"].training, found["seed_0/sft"].basis) == (6 * 3, "measured")
    assert found["seed_1/sft"].training == 30
    twice = found["seed_0/twice"]
    assert twice.basis == "scaled"
    assert twice.training == pytest.approx(10 * 2 * (2 + 3) / 2)  # the median of both runs' speeds


def test_measuring_is_known_from_an_arm_that_was_measured(runs, left) -> None:
    write_run(runs["seed_0/sft"], 10, seconds=10, finished=True)
    write_measurement(runs["seed_0/sft"], seconds=8)
    found = by_key(left())
    assert (found["seed_0/sft"].measuring, found["seed_0/sft"].kept.measured) == (0, True)
    assert found["seed_1/twice"].measuring == 8  # two checkpoints beside W0, as there
    assert found["seed_1/base"].measuring == 0  # a stage is not measured


def test_workers_share_the_work_in_its_order(runs, left) -> None:
    for key in ("seed_0/base", "seed_0/sft", "seed_0/twice"):
        write_run(runs[key], 10, seconds=10, finished=True)
    found = left()
    assert sum(one.seconds for one in found.runs) == 30
    assert found.wall == 20  # base, then both arms at once


def test_what_cannot_be_known_says_why_and_asks_no_hub(runs, left) -> None:
    hub = by_key(left())["seed_0/hub"]
    assert (hub.training, hub.size, hub.basis) == (None, None, "unknown")
    assert "nobody/nothing@main: the tokenizer cannot be had from the hub" in hub.why


def test_another_recipe_is_named(runs, left) -> None:
    write_run(runs["seed_0/sft"], 10, seconds=10, finished=True)
    file = runs["seed_0/sft"].folder / "recipe.json"
    recipe = json.loads(file.read_text())
    recipe["optimizer"]["lr"] = 1.0
    file.write_text(json.dumps(recipe))
    assert "'optimizer.lr' differs" in by_key(left())["seed_0/sft"].kept.other


def test_the_table_fits_and_says_each_state(runs, left) -> None:
    write_run(runs["seed_0/base"], 10, seconds=20, finished=True)
    write_run(runs["seed_0/sft"], 10, seconds=20, finished=True)
    write_measurement(runs["seed_0/sft"], seconds=4)
    write_run(runs["seed_1/sft"], 4, seconds=12)
    lines = printed(left())
    table = {line.split()[0]: line.split() for line in lines[2:6]}
    assert table["base"][-2:] == ["finished", "missing"]
    assert table["sft"] == ["sft", "10", "22.0", "s", "measured", "step", "4"]
    assert table["twice"][2].startswith("~")
    assert table["hub"][2:] == ["?", "missing"]
    text = "\n".join(lines)
    assert "5 arms and 2 stages over all seeds: 2 of 7 finished, 1 of 5 measured." in text
    assert "in 2 worker processes, without 1 runs of unknown size" in text


def test_gates_are_counted_and_timed_by_those_that_are_there(runs, gated) -> None:
    for key in ("seed_0/base", "seed_0/sft", "seed_0/twice", "seed_1/sft"):
        write_run(runs[key], 10, seconds=20, finished=True)
    write_measurement(runs["seed_0/sft"], seconds=4)
    write_measurement(runs["seed_1/sft"], seconds=4)
    write_result(runs["seed_0/sft"].gates / "gates.json", seconds=7)
    found = by_key(gated())
    assert (found["seed_0/sft"].gates, found["seed_0/sft"].seconds) == (0, 0)
    assert (found["seed_1/sft"].gates, found["seed_1/sft"].seconds) == (7, 7)
    assert (found["seed_0/twice"].gates, found["seed_0/twice"].seconds) == (7, 11)
    assert (found["seed_0/hub"].gates, found["seed_0/hub"].gated) == (0, False)
    lines = printed(gated())
    assert "Gates: 1 of 4 measured, 21.0 s left." in lines
    assert next(line for line in lines if line.startswith("sft")).endswith("measured  no gates")


def test_gates_of_which_none_is_there_have_no_time(runs, gated, left) -> None:
    write_run(runs["seed_0/sft"], 10, seconds=20, finished=True)
    write_measurement(runs["seed_0/sft"], seconds=4)
    text = "\n".join(printed(gated()))
    assert "Gates: 0 of 4 measured, ? left." in text
    assert "the gates of 4 arms, of which none was timed yet" in text
    assert "ates" not in "\n".join(printed(left()))


def test_gates_wait_for_the_run_that_scores_them(runs, gated) -> None:
    for key, run in runs.items():
        if key not in ("seed_1/twice", "seed_0/hub"):
            write_run(run, 10, seconds=20, finished=True)
    for name in ("seed_0/sft", "seed_0/twice", "seed_1/sft"):
        write_measurement(runs[name], seconds=4)
    for name in ("seed_0/sft", "seed_0/twice"):
        write_result(runs[name].gates / "gates.json", seconds=7)
    assert gated().wall == 20 + 4 + 7  # twice of seed 1, then both accounts at once


def test_the_command_prints_it_and_writes_nothing(runs, tmp_path, capsys) -> None:
    study(tmp_path / "study.toml", out=tmp_path / "out", workers=3, plan=True)
    printed = capsys.readouterr().out
    assert printed.startswith("plan of small")
    assert "in 3 worker processes" in printed
    assert not (tmp_path / "out").exists()
