"""What the machine does to a command: no permission, no room, a second process, a changing file."""

import os
import resource
import shutil
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from hodograph.checkpoints import open_checkpoint
from hodograph.errors import CheckpointError
from hodograph.exclusive import only_process
from planted.corpus import checkpoint
from planted.corpus.checkpoints import PICKLES, SHARDS
from planted.corpus.headers import Q, hundred_megabytes
from planted.corpus.running import refused, run

NOBODY = 65534
GIBIBYTE = 1 << 30
HOSTILE = "<script>document.title='owned'</script><b>\x1b[31m\"'&"


@pytest.fixture
def pair(tmp_path):
    both = checkpoint(tmp_path / "base"), checkpoint(tmp_path / "step_3", seed=1)
    for folder in both:
        (folder / "model.safetensors").chmod(0o644)
    return both


@contextmanager
def without_privileges(folder):
    """Work as a user who may look into `folder` but owns nothing; root may do anything."""
    if os.geteuid() != 0:
        yield
        return
    closed = [parent for parent in folder.parents if parent.stat().st_mode & 0o055 != 0o055]
    modes = {parent: parent.stat().st_mode for parent in closed}
    for parent in closed:
        parent.chmod(0o755)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        for parent, mode in modes.items():
            parent.chmod(mode)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "."])
def test_a_file_that_may_not_be_read(pair, tmp_path, capsys, name):
    base, tuned = pair
    (tuned / "config.json").write_text("{}")
    assert run(capsys, "diff", base, tuned)[0] == 0  # everything is imported before root is left
    (tuned / name).chmod(0)
    with without_privileges(tuned):
        for command in (["diff", base, tuned], ["inspect", tuned]):
            assert "step_3" in refused(capsys, *command)
    (tuned / name).chmod(0o755)


def test_a_folder_that_may_not_be_written(pair, tmp_path, capsys):
    out = tmp_path / "closed"
    out.mkdir(mode=0o555)
    assert run(capsys, "measure", *pair, "--out", tmp_path / "warm")[0] == 0
    with without_privileges(out):
        message = refused(capsys, "measure", *pair, "--out", out)
    assert f"{out}: cannot be written (Permission denied)" in message
    assert not list(out.iterdir())


def test_no_room_loses_nothing_and_leaves_nothing_half_written(pair, tmp_path, capsys):
    whole, full = tmp_path / "whole", tmp_path / "full"
    assert run(capsys, "measure", *pair, "--out", whole)[0] == 0
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    largest = (whole / "matrices.parquet").stat().st_size
    for limit in (1000, largest - 1, (whole / "report.html").stat().st_size - 1):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
        try:
            message = refused(capsys, "measure", *pair, "--out", full)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert "no space left on the device, or the file size is limited" in message
        assert not list(full.rglob("*.part"))
        assert not (full / "report.html").exists()
    assert run(capsys, "measure", *pair, "--out", full)[0] == 0
    for name in ("matrices.parquet", "summary.json", "report.html"):
        assert (full / name).read_bytes() == (whole / name).read_bytes()


@pytest.mark.parametrize("command", ["measure", "compare"])
def test_a_second_process_is_sent_away(pair, tmp_path, capsys, command):
    base, tuned = pair
    line = [
        command,
        base,
        tuned,
        *([base] if command == "compare" else []),
        "--out",
        tmp_path / "o",
    ]
    with only_process(tmp_path / "o"):
        assert "another process of hodograph works in this folder" in refused(capsys, *line)
    assert run(capsys, *line)[0] == 0


def test_a_study_that_is_worked_on_is_left_alone(tmp_path, capsys):
    from planted.corpus.texts import STUDY

    (tmp_path / "x.toml").write_text(STUDY)
    with only_process(tmp_path / "o"):
        message = refused(capsys, "study", tmp_path / "x.toml", "--out", tmp_path / "o")
    assert "another process of hodograph works in this folder" in message
    assert [path.name for path in (tmp_path / "o").iterdir()] == [".lock"]


def test_a_damaged_part_is_named_not_taken(pair, tmp_path, capsys):
    out = tmp_path / "m"
    largest = pair[1] / "model.safetensors"
    later = "model.layers.0.self_attn.q_proj.weight"  # in the order of work
    sound = {"model.layers.0.mlp.down_proj.weight": torch.zeros(16, 24)}
    save_file(sound | {later: torch.full((24, 16), float("nan"))}, largest)
    refused(capsys, "measure", *pair, "--out", out, "--unpaired", "skip")
    (part,) = out.glob("parts-*/*.arrow")
    os.truncate(part, 100)
    message = refused(capsys, "measure", *pair, "--out", out, "--unpaired", "skip")
    assert str(part) in message
    assert "Remove that file" in message


@pytest.mark.parametrize("how", ["replaced", "rewritten", "gone"])
def test_a_file_that_changes_after_it_was_opened(pair, how):
    base, tuned = pair
    opened = open_checkpoint(tuned)
    file = tuned / "model.safetensors"
    if how == "replaced":
        (base / "model.safetensors").replace(file)
    elif how == "rewritten":
        save_file({Q: torch.ones(24, 16)}, file)
    else:
        file.unlink()
    with pytest.raises(CheckpointError, match="changed or was damaged after it was opened"):
        opened.read(Q)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("zeros of both signs", lambda tensor: tensor.mul_(0).mul_(-1)),
        ("subnormal numbers", lambda tensor: tensor.mul_(2.0**-140)),
        ("the largest numbers", lambda tensor: tensor.fill_(3e38)),
        ("another dtype", lambda tensor: tensor.bfloat16()),
        ("half precision", lambda tensor: tensor.half()),
        ("double precision", lambda tensor: tensor.double()),
    ],
)
def test_odd_weights_are_measured(tmp_path, capsys, name, change):
    base = checkpoint(tmp_path / "base")
    tensors = {n: open_checkpoint(base).read(n).clone() for n in open_checkpoint(base).headers}
    tensors[Q] = change(tensors[Q])
    tuned = tmp_path / "step_1"
    tuned.mkdir()
    save_file(tensors, tuned / "model.safetensors")
    code, _, errors = run(capsys, "measure", base, tuned, "--out", tmp_path / "m")
    assert code == 0, (name, errors)


def test_the_worst_inputs_stay_below_a_gigabyte(tmp_path, capsys):
    cases = {"header": lambda f: hundred_megabytes(f / "model.safetensors")}
    cases |= {name: PICKLES[name] for name in ("bomb", "zip bomb", "nested deeply")}
    cases["index"] = SHARDS["two gigabytes long"]
    for name, build in cases.items():
        (tmp_path / name).mkdir()
        build(tmp_path / name)
    pid = os.fork()
    if pid == 0:
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + GIBIBYTE, size + GIBIBYTE))
        codes = [run(capsys, "inspect", tmp_path / name)[0] for name in cases]
        os._exit(0 if codes == [2] * len(cases) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


class Page(HTMLParser):
    """The elements of a page and its text."""

    def __init__(self):
        super().__init__()
        self.tags, self.scripts, self.text, self._inside = set(), [], "", ""

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self._inside = tag

    def handle_data(self, data):
        if self._inside == "script":
            self.scripts.append(data)
        self.text += data


def test_names_are_text_on_the_page_on_the_terminal_and_in_paths(tmp_path, capsys):
    names = {f"model.layers.0.{HOSTILE}.weight": (8, 6), "../../../../outside.weight": (8, 6)}
    generator = torch.Generator().manual_seed(0)
    folders = []
    for step in (0, 1):
        tensors = {n: torch.randn(shape, generator=generator) for n, shape in names.items()}
        tensors[f"{HOSTILE}.ids"] = torch.arange(3)
        folders.append(tmp_path / "in" / f"step_{step}")
        folders[-1].mkdir(parents=True)
        save_file(tensors, folders[-1] / "model.safetensors")
    out = tmp_path / "deep" / "down" / "m"
    for command in (
        ["measure", *folders, "--out", out, "--scope", "all"],
        ["measure", *folders, "--plan", "--scope", "all"],
        ["diff", *folders],
        ["inspect", folders[0]],
    ):
        code, printed, errors = run(capsys, *command)
        assert code == 0, errors
        assert "\x1b" not in printed + errors
    page = Page()
    page.feed((out / "report.html").read_text())
    assert "<script>document.title" in page.text
    assert not any("owned" in script for script in page.scripts)
    assert "b" not in page.tags
    beside = [path for path in out.rglob("*") if path.parent.name in ("figures", "tables")]
    assert {path.parent.parent for path in beside} == {out}
    written = {path.name for path in {*tmp_path.rglob("*")} - {*beside} if path.is_file()}
    assert written == {
        "model.safetensors",
        "matrices.parquet",
        "summary.json",
        "report.html",
        "explorer.html",
        ".lock",
    }
    shutil.rmtree(out)
