"""A whole pair of checkpoints, every diagnostic and the report, as processes with two workers.

    make smollm2
    python benchmarks/whole_pair.py runs/smollm2/instruct runs/smollm2/sft/checkpoints/step_6 \
        [analyze_opd_delta.py] [--rounds 3]

The third argument is the script of the public repository SydCS/OPD-Param-Analysis; it is run on the
same pair in float32 with as many threads, and computes fewer numbers without nulls or certificates.
The commands take turns; medians. CPU time is that of the command and of its workers.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from cyclopts import run

from harness import machine, table, under_a_bar

THREADS = "2"
Taken = tuple[float, float]  # wall and CPU seconds


def seconds(command: list[str], threads: str, out: Path) -> Taken:
    """What one whole process takes, to write into a folder that is not there."""
    environment = os.environ | {"OMP_NUM_THREADS": threads}
    start, used = time.perf_counter(), _of_children()
    subprocess.run([*command, str(out)], check=True, capture_output=True, env=environment)
    return time.perf_counter() - start, _of_children() - used


def _of_children() -> float:
    """CPU seconds of all processes that were started here, or by one of those, and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main(base: Path, tuned: Path, peer: Path | None = None, *, rounds: int = 1) -> None:
    """Print the table as Markdown."""
    hodograph = str(Path(sys.executable).with_name("hodograph"))
    ours = [hodograph, "measure", str(base), str(tuned), "--workers", THREADS]
    variants = {
        "hodograph": ([*ours, "--out"], "1"),
        "hodograph --exact": ([*ours, "--exact", "--out"], "1"),
    }
    if peer is not None:
        theirs = ["--src_model", str(base), "--opd_model", str(tuned), "--dtype", "float32"]
        command = [sys.executable, str(peer), *theirs, "--out_dir"]
        variants["OPD-Param-Analysis, float32"] = command, THREADS
    with tempfile.TemporaryDirectory() as folder:
        taken = under_a_bar([
            (name, 1.0, partial(seconds, *variant, Path(folder) / f"{name}_{turn}"))
            for turn in range(rounds)
            for name, variant in variants.items()
        ])  # fmt: skip
    medians = {
        name: [statistics.median(times) for times in zip(*taken[i :: len(variants)], strict=True)]
        for i, name in enumerate(variants)
    }
    fastest = medians["hodograph"][0]
    rows = [
        [name, f"{rounds}", f"{wall:.0f}", f"{cpu:.0f}", f"{wall / fastest:.1f}"]
        for name, (wall, cpu) in medians.items()
    ]
    print(machine().replace("one thread used", "two used"), "\n")
    print(table(["measurement", "rounds", "wall, s", "CPU, s", "ratio of wall"], rows))


if __name__ == "__main__":
    run(main)
