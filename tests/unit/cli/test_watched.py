"""What is read of a run that is being written, and how it is drawn."""

import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from hodograph.cli.watched import Pace, drawn, duration, sparkline
from hodograph.errors import StorageError
from hodograph.watching import look


def write_run(folder: Path, steps: int, total: int = 10, **files: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    recipe = {"name": folder.name, "objective": {"type": "opd"}, "steps": total}
    lines = [{"step": i, "loss": 1 / i, "opd/reverse_kl": 0.5} for i in range(1, steps + 1)]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "recipe.json").write_text(json.dumps(recipe))
    (folder / "metrics.jsonl").write_text(text)
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


def at(folder: Path, seconds: float) -> None:
    """Let the metrics have been written at this time."""
    os.utime(folder / "metrics.jsonl", (seconds, seconds))


def printed(folder: Path, width: int = 100) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    with console.file:
        console.print(drawn(look(folder), Pace()))
    return console.export_text()


def test_a_half_written_last_line_is_left_for_the_next_look(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", 3)
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"step": 4, "lo')
    assert look(run).step == 3
    with (run / "metrics.jsonl").open("a") as file:
        file.write('ss": 0.25}\n')
    assert look(run).step == 4
    assert look(run).series["loss"][-1] == (4, 0.25)


def test_time_left_is_the_speed_since_the_start_then_the_speed_seen(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", 2, provenance={"started": ["1970-01-01T00:16:40+00:00"]})
    at(run, 1000 + 20)
    pace = Pace()
    assert pace.left("run", look(run)) == pytest.approx(8 * 10)  # ten seconds a step, loading too
    at(write_run(run, 6), 1000 + 28)
    assert pace.left("run", look(run)) == pytest.approx(4 * 2)  # four steps in eight seconds
    write_run(run, 10, finished={})
    assert pace.left("run", look(run)) is None


def test_a_resumed_run_has_no_speed_before_it_is_seen(tmp_path: Path) -> None:
    both = ["1970-01-01T00:16:40+00:00", "1970-01-02T00:16:40+00:00"]
    run = write_run(tmp_path / "run", 2, provenance={"started": both})
    assert Pace().left("run", look(run)) is None


@pytest.mark.parametrize(
    ("points", "last", "bars"),
    [
        ([(1, 0.0), (2, 7.0), (3, 3.0)], 3, "▁█▄"),
        ([(1, 2.0), (2, 2.0)], 2, "▁▁"),
        ([(2, 1.0), (4, 3.0)], 4, " ▁ █"),
        ([(s, float((s - 1) // 20)) for s in range(1, 161)], 160, "▁" * 5 + "▂" * 5 + "▃" * 5
         + "▄" * 5 + "▅" * 5 + "▆" * 5 + "▇" * 5 + "█" * 5),
    ],
)  # fmt: skip
def test_sparklines(points: list[tuple[int, float]], last: int, bars: str) -> None:
    assert sparkline(points, last) == bars


def test_durations() -> None:
    assert [duration(s) for s in (None, 5, 65.4, 7261)] == ["-", "0:00:05", "0:01:05", "2:01:01"]


def test_a_run_shows_its_step_metrics_and_evaluations(tmp_path: Path) -> None:
    entry = {"step": 0, "accuracy": 0.5, "standard_error": 0.01, "greedy_accuracy": 0.75}
    entry |= {"pass_at_4": 0.9, "pass_at_4_standard_error": 0.02}
    run = write_run(tmp_path / "chain-opd", 5, evaluations=[entry])
    text = printed(run)
    assert "chain-opd (opd)" in text
    assert "step 5 of 10" in text
    assert "opd/reverse_kl   0.5  ▁▁▁▁▁" in text
    assert "accuracy 0.500 ± 0.010, greedy 0.750, pass_at_4 0.900 ± 0.020" in text
    assert "running" in text
    at(run, 1e9)
    assert "no new line for" in printed(run)
    write_run(run, 10, finished={"steps": 10})
    assert printed(run).rstrip().endswith("finished")
    (write_run(tmp_path / "new", 0) / "metrics.jsonl").unlink()
    assert "starting" in printed(tmp_path / "new")


def test_a_study_shows_a_row_a_run_and_ends_with_its_record(tmp_path: Path) -> None:
    for seed, steps in ((0, 10), (1, 3)):
        write_run(tmp_path / f"seed_{seed}/opd", steps)
    (tmp_path / "seed_0/opd/finished.json").write_text("{}")
    study = look(tmp_path)
    assert [(key, run.step) for key, run in study.runs.items()] == [
        ("seed_0/opd", 10),
        ("seed_1/opd", 3),
    ]
    assert not study.finished
    assert "seed_1/opd   3/10" in printed(tmp_path)
    (tmp_path / "study.json").write_text('{"failures": {"train seed_1/opd": "it diverged"}}')
    os.utime(tmp_path / "study.json", (4e9, 4e9))
    assert look(tmp_path).finished
    assert "failed: train seed_1/opd: it diverged" in printed(tmp_path)
    os.utime(tmp_path / "seed_1/opd/metrics.jsonl", (5e9, 5e9))  # the study was started again
    assert not look(tmp_path).finished


def test_what_is_no_run_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="holds neither a run"):
        look(tmp_path)
    with pytest.raises(StorageError, match="nowhere does not exist: name the folder"):
        look(tmp_path / "nowhere")
    run = write_run(tmp_path / "run", 2)
    (run / "metrics.jsonl").write_text('{"step": 1}\n{"st\n{"step": 3}\n')
    with pytest.raises(StorageError, match=r"metrics\.jsonl, line 2: damaged"):
        look(run)
    (run / "recipe.json").write_text("{")
    with pytest.raises(StorageError, match=r"recipe\.json cannot be read"):
        look(run)
