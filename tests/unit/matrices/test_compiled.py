"""Compiled loops: kept for the next process, and compiled anew where nothing can be kept."""

import os
import subprocess
import sys

import pytest
from numba import int64, njit

from hodograph.matrices.compiled import compiled

CODE = "from hodograph.matrices import kernels; print(kernels.shuffle.stats.cache_misses.total())"


def twice(x):
    return 2 * x


def nowhere():
    """A function without a file, beside which nothing can be kept."""
    names = {}
    exec(compile("def twice(x):\n    return 2 * x\n", "/nowhere/at/all.py", "exec"), names)
    return names["twice"]


def test_where_nothing_can_be_kept_the_loop_is_compiled_all_the_same():
    with pytest.raises(RuntimeError, match="cannot cache"):
        njit(int64(int64), cache=True)(nowhere())
    assert compiled(int64(int64))(nowhere())(21) == 42
    assert compiled(int64(int64))(twice)(21) == 42


def test_the_next_process_finds_what_was_compiled(tmp_path):
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    found = [
        subprocess.run(
            [sys.executable, "-W", "error", "-c", CODE],
            env=environment, capture_output=True, text=True, check=True,
        ).stdout.strip()
        for _ in range(2)
    ]  # fmt: skip
    assert found == ["1", "0"]
    assert list(tmp_path.rglob("loops.shuffle*.nbi"))
