"""Killed anywhere and run again, a command ends with the bytes of an undisturbed one.

HODOGRAPH_KILLS says how often; `make kill` takes 200.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from planted.runs import STUDENT

pytestmark = pytest.mark.train
KILLS = int(os.environ.get("HODOGRAPH_KILLS", "20"))
SHARES = {"measure": 0.65, "train": 0.25, "study": 0.1}
# made from the tables, after the mark of a whole result
RENDERED = {"report.html", "explorer.html", "orderings.json", "ledger.json"}
TIMES = {"provenance.json"}  # the only file that says when it was written
ROOT = Path(__file__).parents[2]

RECIPE = """
name = "tiny"
steps = 4
objective = { type = "sft" }
task = { type = "chain" }
batch = { prompts = 2, group_size = 4 }
optimizer = { lr = 1e-2, weight_decay = 0.1 }
save = { steps = [1, 2] }
evaluation = { prompts = 4, steps = [0, 2] }
sampling = { max_completion_length = 4 }
"""


def toml(prefix):
    values = "\n".join(f"{key} = {json.dumps(value)}" for key, value in STUDENT.items())
    return f"[{prefix}]\n{values}\n"


STUDY = (
    'name = "tiny"\n[measure]\nangle_k = 4\npermutations = 1\n[shared]\n'
    'task = { type = "chain" }\nbatch = { prompts = 2, group_size = 4 }\n'
    'optimizer = { lr = 1e-2 }\nobjective = { type = "sft" }\nsteps = 2\n'
    '[arm]\nstudent = { type = "path", path = "@base" }\n'
    "[stages.base]\nsteps = 1\n" + toml("stages.base.student") + "[arms.sft]\n"
)


@dataclass(frozen=True)
class Trial:
    """A command, its folder, and what an undisturbed run leaves there."""

    arguments: list[str]
    out: Path
    files: dict[str, bytes]
    seconds: float
    operations: int


class Zygote:
    """Runs command lines in forks of one process that has imported everything."""

    def __init__(self, log):
        self.log = log
        paths = f"{ROOT / 'src'}{os.pathsep}{ROOT / 'tests'}"
        with log.open("w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "planted.zygote"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": paths},
            )
        self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        assert line, self.log.read_text()
        return json.loads(line)

    def run(self, arguments, out, **fate):
        request = {"arguments": arguments, "out": str(out), "log": str(self.log)} | fate
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=60)
        self.process.stdout.close()


@pytest.fixture(scope="module")
def zygote(tmp_path_factory):
    process = Zygote(tmp_path_factory.mktemp("zygote") / "log")
    yield process
    process.close()


@pytest.fixture
def trials(tmp_path, zygote, write_checkpoint, layered):
    base = write_checkpoint(tmp_path / "step_0", layered(0))
    tuned = [write_checkpoint(tmp_path / f"step_{n}", moved(layered(0), n)) for n in (1, 2)]
    (tmp_path / "recipe.toml").write_text(RECIPE + toml("student"))
    (tmp_path / "study.toml").write_text(STUDY)
    commands = {
        "measure": ["measure", str(base), *map(str, tuned), "--workers", "1"],
        "train": ["train", str(tmp_path / "recipe.toml")],
        "study": ["study", str(tmp_path / "study.toml"), "--workers", "2"],
    }
    return {kind: undisturbed(zygote, tmp_path / kind, line) for kind, line in commands.items()}


def moved(tensors, seed):
    generator = torch.Generator().manual_seed(seed)
    return {
        name: tensor + 1e-3 * torch.randn(tensor.shape, generator=generator)
        for name, tensor in tensors.items()
    }


def undisturbed(zygote, out, command):
    arguments = [*command, "--out", str(out)]
    done = zygote.run(arguments, out)
    assert done["code"] == 0, zygote.log.read_text()
    return Trial(arguments, out, files(out), done["seconds"], done["operations"])


def files(out):
    """Every file of a result, but for the empty locks and the times."""
    found = [path for path in out.rglob("*") if path.is_file() and path.name != ".lock"]
    assert all(not path.read_bytes() for path in out.rglob(".lock"))
    return {str(p.relative_to(out)): content(p) for p in found if p.name not in TIMES}


def content(path):
    """Bytes of a file; of a study's summaries all but the fingerprint, made of its files' times.

    Of a PDF its lines in order: the library that writes it lists graphics states at random.
    """
    if path.suffix == ".pdf":
        return sorted(path.read_bytes().split(b"\n"))
    if path.name != "summary.json" or path.parent.name != "measurement":
        return path.read_bytes()
    summary = json.loads(path.read_text())
    del summary["fingerprint"]
    return json.dumps(summary).encode()


def assert_nothing_half_looks_whole(trial):
    """What a reader would take for a whole result is one, before anything is repaired."""
    for folder in trial.out.glob("**/checkpoints/step_*[0-9]"):
        for file in (
            path for path in trial.files if str(trial.out / path).startswith(f"{folder}/")
        ):
            assert content(trial.out / file) == trial.files[file]
    for name in ("summary.json", "finished.json", "study.json"):
        for mark in trial.out.rglob(name):
            if name == "study.json" and json.loads(mark.read_text())["failures"]:
                continue  # a worker was killed, and the study says so
            for file in (p for p in trial.files if (trial.out / p).parent == mark.parent):
                if Path(file).name not in RENDERED:
                    assert content(trial.out / file) == trial.files[file], file


def fate(chance, trial):
    """Half die by the clock, half before one of their operations on a file."""
    if chance.random() < 0.5:
        return {"after": chance.uniform(0, trial.seconds)}
    return {"operation": chance.randrange(trial.operations)}


def test_killed_anywhere_and_run_again_gives_the_same_bytes(zygote, trials):
    chance = random.Random(20)
    counts = {kind: round(KILLS * share) for kind, share in SHARES.items()}
    killed = dict.fromkeys(SHARES, 0)
    for kind, count in counts.items():
        trial = trials[kind]
        for number in range(count):
            shutil.rmtree(trial.out)
            blow = fate(chance, trial)
            cut = zygote.run(trial.arguments, trial.out, **blow)
            killed[kind] += cut["code"] != 0
            where = f"{kind} {number} {blow}"
            assert_nothing_half_looks_whole(trial)
            done = zygote.run(trial.arguments, trial.out)
            assert done["code"] == 0, (where, zygote.log.read_text())
            assert files(trial.out) == trial.files, where
            print(f"{where}: code {cut['code']}", flush=True)
    print(f"killed before their end: {killed} of {counts}")
    assert sum(killed.values()) > KILLS / 3, "too few died to tell anything"


def test_interrupted_it_says_one_line_and_goes_on(zygote, tmp_path, write_checkpoint):
    generator = torch.Generator().manual_seed(0)
    names = [f"model.layers.{i}.self_attn.q_proj.weight" for i in range(24)]
    tensors = {name: torch.randn(300, 300, generator=generator) for name in names}
    base = write_checkpoint(tmp_path / "base", tensors)
    tuned = write_checkpoint(tmp_path / "step_1", moved(tensors, 1))
    command = ["measure", str(base), str(tuned), "--workers", "2"]
    trial = undisturbed(zygote, tmp_path / "out", command)
    shutil.rmtree(trial.out)
    cut = zygote.run(trial.arguments, trial.out, appears="parts-*/*.arrow", signal=signal.SIGINT)
    assert cut["code"] == 130
    said = zygote.log.read_text()
    assert said.strip().splitlines()[-1] == "interrupted; run the same command again to go on"
    assert "Traceback" not in said
    assert not (trial.out / "summary.json").exists()
    assert zygote.run(trial.arguments, trial.out)["code"] == 0
    assert files(trial.out) == trial.files
