"""One process alone; tests/equivalence/test_processes.py has several."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from hodograph.errors import SettingsError
from hodograph.world import ALONE, end, join, require_alone, speaks


def test_a_process_alone_decides_for_itself() -> None:
    values = torch.ones(2)
    assert ALONE.decided(lambda: 3) == ALONE.together(lambda: 3) == 3
    assert ALONE.gathered("a") == ["a"]
    assert ALONE.total(values) is values
    assert (ALONE.first, ALONE.engine) == (True, "none")
    with pytest.raises(RuntimeError, match="mine"), ALONE.ends_together():
        raise RuntimeError("mine")


def test_without_a_launcher_there_is_one_and_it_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert join() is ALONE
    assert speaks()


def test_before_they_have_met_the_first_speaks_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert join() is ALONE  # some cluster's own variable: no launcher started this process
    monkeypatch.setenv("LOCAL_RANK", "0")
    with pytest.raises(SettingsError, match="a study starts its own processes"):
        require_alone("a study")
    for rank, expected in (("0", True), ("1", False)):
        monkeypatch.setenv("RANK", rank)
        assert speaks() is expected


def test_the_module_is_the_command_line(tmp_path: Path) -> None:
    missing = tmp_path / "none.toml"
    command = [sys.executable, "-m", "hodograph", "train", str(missing)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"error: {missing}" in done.stderr.replace("\n", "")
    assert SettingsError.__name__ not in done.stderr  # no traceback


def test_without_a_launcher_the_interpreter_ends_as_usual(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    with pytest.raises(SystemExit) as ended:
        end(2)
    assert ended.value.code == 2


def test_one_of_several_ends_before_anything_can_abort_it() -> None:
    aborting = "import atexit, os; atexit.register(os.abort); print('said')"
    several = os.environ | {"LOCAL_RANK": "0", "WORLD_SIZE": "2"}
    done = subprocess.run(
        [sys.executable, "-c", f"{aborting}; from hodograph.world import end; end(2)"],
        env=several, stdout=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "said\n")
