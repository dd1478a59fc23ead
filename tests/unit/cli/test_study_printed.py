"""A study's table of arms, where there are many."""

import io
import json

from rich.console import Console

from hodograph.cli.comparison import GROUPS, print_study
from planted.measurement import write_study


def test_many_arms_with_long_names_fit_a_hundred_columns(tmp_path):
    folder = write_study(tmp_path, arms=("sft", "opd"))
    study = json.loads((folder / "study.json").read_text())
    arms = [run for run in study["runs"] if run["role"] == "arm"]
    names = [f"opd_smallest_gap_arm{index:02}" for index in range(16)]
    study["runs"] += [arms[i % 2] | {"name": name} for i, name in enumerate(names)]
    (folder / "study.json").write_text(json.dumps(study))
    console = Console(file=io.StringIO(), width=100)
    print_study(console, folder)
    lines = [line.rstrip() for line in console.file.getvalue().splitlines()]
    tables = [title for title in GROUPS if title in lines]
    assert len(tables) >= 3
    for name in names:
        rows = [line for line in lines if line.startswith(name)]
        assert len(rows) == len(tables), name
    assert max(map(len, lines)) <= 100
    size = lines[lines.index("accuracy and size") + 1 :]
    assert "sparsity, %" in size[0]
    cells = {line.split()[0]: line.split()[1:] for line in size[1:19]}
    assert cells[names[0]] == cells["sft"] != cells[names[1]] == cells["opd"]
