"""`hodograph watch` beside a run that goes on."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

COMMAND = [sys.executable, "-c", "from hodograph.cli import main; main()", "watch"]
ENVIRONMENT = os.environ | {"PYTHONPATH": "src", "COLUMNS": "100"}


def test_watching_ends_when_the_run_does_and_only_reads(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    recipe = {"name": "tiny", "objective": {"type": "sft"}, "steps": 2}
    (run / "recipe.json").write_text(json.dumps(recipe))
    process = subprocess.Popen(
        [*COMMAND, str(run)], env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
    )
    time.sleep(1)
    assert process.poll() is None
    with (run / "metrics.jsonl").open("w") as file:
        file.write('{"step": 1, "loss": 2.5}\n{"step": 2, "loss": 1.5}\n')
    assert process.poll() is None
    (run / "finished.json").write_text("{}")
    shown, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "step 2 of 2" in shown
    assert "1.5  █▁" in shown
    assert sorted(p.name for p in run.iterdir()) == [
        "finished.json",
        "metrics.jsonl",
        "recipe.json",
    ]


def test_once_prints_and_returns_and_a_wrong_folder_is_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, str(tmp_path), "--once"], env=ENVIRONMENT, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "holds neither a run (recipe.json) nor a study" in done.stderr
    recipe = {"name": "tiny", "objective": {"type": "sft"}, "steps": 2}
    (tmp_path / "recipe.json").write_text(json.dumps(recipe))
    done = subprocess.run(
        [*COMMAND, str(tmp_path), "--once"], env=ENVIRONMENT, capture_output=True, text=True
    )
    assert done.returncode == 0
    assert "starting" in done.stdout


def test_watching_loads_no_torch() -> None:
    code = "import sys, hodograph.cli.watch; print(*{n.split('.')[0] for n in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    assert not {"torch", "transformers", "pandas", "pydantic"} & set(done.stdout.split())
