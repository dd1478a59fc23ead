"""Models from the hub: pinned, headers first, only the shards in scope, and offline."""

import json
import os
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file

from hodograph.checkpoints import open_checkpoint
from hodograph.errors import CheckpointError
from planted.hub import COMMIT, serving

pytest.importorskip("huggingface_hub")
OTHER = "f" * 40


def sharded(folder, tensors):
    """A model whose layers and embeddings lie in two shards."""
    folder.mkdir()
    shards = {"layers.safetensors": {}, "rest.safetensors": {}}
    for name, tensor in tensors.items():
        shards["layers.safetensors" if ".layers." in name else "rest.safetensors"][name] = tensor
    weight_map = {name: file for file, held in shards.items() for name in held}
    for file, held in shards.items():
        save_file(held, folder / file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    (folder / "config.json").write_text("{}")
    return folder


@pytest.fixture
def hub(tmp_path, layered):
    base, tuned = (sharded(tmp_path / n, layered(i)) for i, n in enumerate(("base", "tuned")))
    (tmp_path / "pickled").mkdir()
    torch.save(layered(1), tmp_path / "pickled" / "pytorch_model.bin")
    models = {"org/base": base, "org/tuned": tuned, "org/pickled": tmp_path / "pickled"}
    with serving(models, {"main": COMMIT, "step_40": OTHER}) as server:
        yield server


RUN = """
import contextlib, io, json, sys, urllib.request
from hodograph.cli import main
commands, endpoint, ended = json.loads(sys.argv[1]), sys.argv[2], []
for arguments in commands:
    urllib.request.urlopen(endpoint + "/api/models/org/base/revision/main").read()
    sys.argv, errors, code = ["hodograph", *arguments], io.StringIO(), 0
    with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()):
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
    ended.append((code, errors.getvalue()))
print(json.dumps(ended))
"""


def run(server, home, *commands, **environment):
    """Exit code and messages of each command, run one after another in a process of their own."""
    settings = {
        "HF_ENDPOINT": server.endpoint, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1", "no_proxy": "127.0.0.1",
    }  # fmt: skip
    dropped = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_TOKEN", "HF_HUB_CACHE")
    inherited = {name: value for name, value in os.environ.items() if name not in dropped}
    asked = json.dumps([[str(word) for word in command] for command in commands])
    done = subprocess.run(
        [sys.executable, "-c", RUN, asked, server.endpoint],
        env=inherited | settings | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def weights(files):
    return sorted(file for file in files if file.endswith((".safetensors", ".bin")))


def test_a_model_is_pinned_planned_measured_and_read_again_offline(hub, tmp_path):
    home, out = tmp_path / "home", tmp_path / "out"
    pair = ("measure", "hf://org/base", "hf://org/tuned@step_40")
    ends = run(
        hub, home,
        (*pair, "--plan"),
        (*pair, "--out", out),
        ("measure", "hf://org/base", "hf://org/pickled", "--out", tmp_path / "pickles"),
        ("measure", "hf://org/none", "x", "--plan"),
        ("measure", "hf://org/base@none", "x", "--plan"),
    )  # fmt: skip
    assert [code for code, _ in ends] == [0, 0, 0, 2, 2], ends
    marks = [i for i, one in enumerate(hub.requests) if "Python-urllib" in one.agent]
    assert not weights(hub.downloads(marks[0], marks[1]))
    measured = weights(hub.downloads(marks[1], marks[2]))
    assert measured == ["layers.safetensors", "layers.safetensors", "rest.safetensors"]
    assert weights(hub.downloads(marks[2], marks[3])) == ["pytorch_model.bin"]
    assert "no such model" in ends[3][1]
    assert "no such revision" in ends[4][1]
    summary = json.loads((out / "summary.json").read_text())
    assert summary["base"]["hub"] == f"hf://org/base@{COMMIT}"
    (checkpoint,) = summary["checkpoints"]
    assert checkpoint["hub"] == f"hf://org/tuned@{OTHER}"
    assert checkpoint["step"] == 40

    before = len(hub.requests)
    ends = run(
        hub, home,
        ("measure", "hf://org/base", "hf://org/base", "--out", tmp_path / "offline"),
        ("measure", "hf://org/base", "hf://org/tuned@other", "--plan"),
        HF_HUB_OFFLINE="1",
    )  # fmt: skip
    assert [code for code, _ in ends] == [0, 2], ends
    assert "Download it while online" in ends[1][1]
    assert {one.agent.partition("/")[0] for one in hub.requests[before:]} == {"Python-urllib"}
    offline = json.loads((tmp_path / "offline" / "summary.json").read_text())
    assert offline["base"] == summary["base"]


@pytest.mark.parametrize("name", ["hf://org", "hf://org/a/b", "hf://org/a@"])
def test_a_name_that_is_none_is_refused(name):
    with pytest.raises(CheckpointError, match="hf://org/name"):
        open_checkpoint(name)


@pytest.mark.network
def test_a_real_model(tmp_path):
    """Runs where the hub can be reached: pytest -m network."""
    checkpoint = open_checkpoint("hf://hf-internal-testing/tiny-random-LlamaForCausalLM")
    assert checkpoint.hub is not None
    assert len(str(checkpoint.hub.commit)) == 40
    name = next(iter(checkpoint.headers))
    assert tuple(checkpoint.read(name).shape) == checkpoint.headers[name].shape
