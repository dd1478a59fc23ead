import io
import json

import pytest
from rich.console import Console

from hodograph.cli.comparison import print_study
from hodograph.cli.printed import lock_line
from planted.measurement import write_study


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=200)


def lock_of(console, arm):
    """The last cell of the arm's row in the table that ends with the lock."""
    lines = console.file.getvalue().splitlines()
    heading = next(i for i, line in enumerate(lines) if line.split()[-1:] == ["lock"])
    row = next(line for line in lines[heading:] if line.startswith(arm))
    return row.split(maxsplit=1)[1].strip()


def test_a_study_prints_the_verdict_of_the_stored_weights(tmp_path, console):
    print_study(console, write_study(tmp_path, arms=("opd",)))
    assert lock_of(console, "opd") == "locked"


def test_seeds_that_differ_are_all_named(tmp_path, console):
    folder = write_study(tmp_path, seeds=(0, 1), arms=("opd",))
    summary = folder / "seed_1" / "opd" / "measurement" / "summary.json"
    content = json.loads(summary.read_text())
    content["lock"]["float32"]["verdict"] = "undetermined"
    summary.write_text(json.dumps(content))
    print_study(console, folder)
    assert lock_of(console, "opd") == "locked, undetermined"


def test_a_line_has_what_there_is():
    entry = {"verdict": "undetermined", "reason": "too short", "low": None, "step": None}
    assert lock_line(entry) == "undetermined (too short)"
    entry |= {"verdict": "locked", "low": 0.9, "high": 1.0, "step": 17.0, "stable_rank_band": 1.5}
    line = lock_line(entry)
    assert "0.90 to 1.00" in line
    assert line.endswith("median t* step 17; stable rank from there max / min 1.50")
