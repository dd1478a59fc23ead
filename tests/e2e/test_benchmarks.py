"""Benchmarks at a small size: they run, meet goals where size does not matter, and can fail."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"
QUICK = "\n".join(  # a benchmark's folder is on the path of its script, and only there
    ["import sys", f"sys.path.insert(0, {str(BENCHMARKS)!r})", "import {module}", "{code}"]
)


def python(*arguments):
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)


def quick(module, code):
    return python("-c", QUICK.format(module=module, code=code))


def tables(done):
    """Cells of every row but the headings, table by table."""
    assert done.returncode == 0, done.stderr
    found = [[]]
    for line in done.stdout.splitlines():
        if line.startswith("|"):
            found[-1].append([cell.strip() for cell in line.strip("| ").split("|")])
        elif found[-1]:
            found.append([])
    return [rows[2:] for rows in found if rows]


@pytest.fixture
def pair(tmp_path, write_checkpoint, layered):
    generator, base = torch.Generator().manual_seed(0), layered()
    step = {name: 1e-3 * torch.randn(w.shape, generator=generator) for name, w in base.items()}
    tuned = {name: weights + step[name] for name, weights in base.items()}
    return [write_checkpoint(tmp_path / n, t) for n, t in (("step_0", base), ("step_1", tuned))]


def test_every_number_is_as_near_the_reference_and_the_truth_as_is_asked(pair):
    goals, digits = tables(python(BENCHMARKS / "accuracy.py", *pair, "--every", "1", "--small"))
    assert {row[-1] for row in goals} == {"met"}
    assert all(all(row[2:4]) for row in goals if row[0] != "Hill, k = 11, over bound")
    assert {row[-1] for row in digits} == {"met"}
    assert {row[0] for row in digits} == {
        "gram, few vectors",
        "gram, probed",
        "gram, many",
        "eigh",
        "svd",
    }


def test_a_goal_that_is_missed_is_said_with_the_case():
    cases = {
        "NSS, relative": (1e-5, "| 1e-05 (worst) | not met |"),
        "angles, degrees, where certified": (1e-9, "| 1e-09 | met |"),
        "stable rank, relative": (float("nan"), "|  | met |"),
        "Sim_16, over certificate": (1.5, "| 2e+00 (worst) | not met |"),
        "counts, entries": (1.0, "| 1e+00 (worst) | not met |"),
    }
    found = {quantity: off for quantity, (off, _) in cases.items()}
    table = f"accuracy.goals_table({{'one': [(accuracy.Case('worst', None, 0), {found})]}})"
    done = quick("accuracy", f"nan = float('nan'); print({table})")
    assert done.returncode == 0, done.stderr
    rows = {line.split(" | ")[0].strip("| "): line for line in done.stdout.splitlines()}
    for quantity, (_, end) in cases.items():
        assert rows[quantity].endswith(end)


def test_a_miscount_is_seen():
    done = quick("plain_counts", "\n".join([
        "import torch",
        "from hodograph.linalg.factor import factor",
        "base = torch.randn(48, 64, generator=torch.Generator().manual_seed(0))",
        "tuned = base + 0.01 * torch.randn(48, 64, generator=torch.Generator().manual_seed(1))",
        "print(plain_counts.counts_off(base, tuned, factor(base, 24)))",
        "plain_counts.ULP_BINS = plain_counts.ULP_BINS | {'ulp_1': (1, 3)}",
        "print(plain_counts.counts_off(base, tuned, factor(base, 24)) > 1)",
    ]))  # fmt: skip
    assert done.stdout.split() == ["0.0", "True"], done.stderr


def test_factoring_times_shapes_kinds_and_a_layer_as_asked(pair):
    asked = ["--shapes", "48x96,32x32", "--kinds", "dense,tiny", "--rounds", "2", "--layer", "1"]
    (rows,) = tables(python(BENCHMARKS / "factoring.py", *pair, *asked))
    assert [row[:3] for row in rows] == [
        ["48 x 96, 24", "dense", "2"], ["48 x 96, 6", "dense", "2"],
        ["48 x 96, 24", "tiny", "2"], ["48 x 96, 6", "tiny", "2"],
        ["32 x 32, 16", "dense", "2"], ["32 x 32, 4", "dense", "2"],
        ["32 x 32, 16", "tiny", "2"], ["32 x 32, 4", "tiny", "2"],
        ["16 x 24, 8", "down_proj, layer 1", "2"], ["16 x 24, 2", "down_proj, layer 1", "2"],
        ["24 x 16, 8", "q_proj, layer 1", "2"], ["24 x 16, 2", "q_proj, layer 1", "2"],
    ]  # fmt: skip
    assert all(float(cell) > 0 for row in rows for cell in row[3:5])
    assert all(float(cell) >= 0 for row in rows for cell in row[5:7])
    for row in rows:
        for cell in row[7:9]:
            difference, bound = re.fullmatch(r"(\S+) \(certified (\S+)\)", cell).groups()
            assert float(difference) <= float(bound)


def test_a_trajectory_is_timed_against_shared_and_separate_decompositions():
    done = quick(
        "factoring", "for row in factoring.trajectory_rows((96, 256)): print(*row, sep='|')"
    )
    assert done.returncode == 0, done.stderr
    rows = [line.split("|") for line in done.stdout.splitlines()]
    assert [row[0] for row in rows] == ["96 x 256, 48", "96 x 256, 12"]
    assert all(0 < float(row[2]) < float(row[3]) for row in rows)


BUSY = """
import time
def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end: pass
def inner(): burn(.3)
def outer(): burn(.1); inner()
def idle(): time.sleep(.01)
def work(): outer(); burn(.2); idle()
"""


def test_sampling_gives_cpu_time_to_the_innermost_part():
    code = (
        BUSY
        + "import json\nprint(json.dumps(sampled.sampled(work, {outer: 'outer', inner: 'inner'})))"
    )
    done = quick("sampled", code)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == pytest.approx(
        {"outer": 0.1, "inner": 0.3, "all": 0.6}, abs=0.05
    )


def test_a_part_that_is_never_at_work_is_named():
    code = BUSY + "sampled.sampled(work, {inner: 'inner', idle: 'asleep'})"
    done = quick("sampled", code)
    assert done.returncode != 0
    assert "never seen at work: asleep" in done.stderr


def test_the_parts_of_a_pair_are_there():
    done = quick("profile_pair", "print(all(part.__code__ for part in profile_pair.PARTS))")
    assert done.stdout.strip() == "True", done.stderr
