"""A whole pair of checkpoints, every diagnostic and the report, as processes with two workers.

    make smollm2
    python benchmarks/whole_pair.py runs/smollm2/instruct runs/smollm2/sft/checkpoints/step_6 \
        [analyze_opd_delta.py]

The third argument is the script of the public repository SydCS/OPD-Param-Analysis; it is run on the
same pair in float32 with as many threads, and computes fewer numbers without nulls or certificates.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness import machine, table

THREADS = "2"


def seconds(command: list[str], threads: str) -> float:
    """Wall seconds of a whole process."""
    environment = os.environ | {"OMP_NUM_THREADS": threads}
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return time.perf_counter() - start


def main() -> None:
    """Print the table as Markdown."""
    base, tuned, *peer = sys.argv[1:]
    hodograph = str(Path(sys.executable).with_name("hodograph"))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        ours = [hodograph, "measure", base, tuned, "--out"]
        variants = {
            "hodograph": [*ours, f"{folder}/fast", "--workers", THREADS],
            "hodograph --exact": [*ours, f"{folder}/exact", "--workers", THREADS, "--exact"],
        }
        if peer:
            theirs = ["--src_model", base, "--opd_model", tuned, "--out_dir", f"{folder}/peer"]
            variants["OPD-Param-Analysis, float32"] = [
                sys.executable, peer[0], *theirs, "--dtype", "float32",
            ]  # fmt: skip
        taken = {}
        for name, command in variants.items():
            taken[name] = seconds(command, "1" if name.startswith("hodograph") else THREADS)
        for name, wall in taken.items():
            rows.append([name, f"{wall:.0f}", f"{wall / taken['hodograph']:.1f}"])
    print(machine().replace("one thread used", "two used"), "\n")
    print(table(["measurement", "wall, s", "ratio"], rows))


if __name__ == "__main__":
    main()
