"""`hodograph train` as a user runs it."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from hodograph.cli.train import parse_overrides
from hodograph.errors import SettingsError

RECIPE = """
name = "tiny"
steps = 2
[student]
type = "qwen3"
hidden_size = 16
layers = 1
heads = 2
kv_heads = 1
head_dim = 8
intermediate_size = 32
[objective]
type = "sft"
[task]
type = "chain"
[batch]
prompts = 4
[optimizer]
lr = 1e-3
[sampling]
max_completion_length = 4
[evaluation]
prompts = 4
"""

COMMAND = [sys.executable, "-c", "from hodograph.cli import main; main()", "train"]


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    return path


def hodograph_train(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": "src"}
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, env=environment, check=False, **options
    )


def test_a_recipe_is_trained_with_overrides_and_nothing_misleading_is_printed(
    recipe: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    done = hodograph_train(recipe, "--out", out, "--optimizer.lr", "2e-3", "--save.steps", "[1]")
    assert done.returncode == 0, done.stderr
    assert f"2 steps; weights in {out}/checkpoints/step_2" in done.stderr
    assert "step 2: accuracy 0.000 ± 0.000 at temperature 1" in done.stderr
    assert "Warning" not in done.stderr
    assert json.loads((out / "recipe.json").read_text())["optimizer"]["lr"] == 2e-3
    steps = sorted(path.name for path in (out / "checkpoints").iterdir())
    assert steps == ["step_0", "step_1", "step_2"]
    end = json.loads((out / "finished.json").read_text())
    assert end == {"final_checkpoint": "checkpoints/step_2", "steps": 2}
    provenance = json.loads((out / "provenance.json").read_text())
    assert provenance["threads"] == 1
    assert {"python", "torch", "trl", "transformers"} <= provenance["versions"].keys()
    assert len(provenance["started"]) == 1


def test_bad_input_ends_with_one_line_and_code_two(recipe: Path, tmp_path: Path) -> None:
    done = hodograph_train(recipe, "--out", tmp_path / "run", "--optimizer.learning_rat", "1")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "unknown key 'optimizer.learning_rat'" in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_full_disk_is_one_clear_message_and_leaves_nothing_that_looks_whole(
    recipe: Path, tmp_path: Path
) -> None:
    """The system's limit on file sizes stands for a full disk: writing fails in the same place."""

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))

    out = tmp_path / "run"
    done = hodograph_train(recipe, "--out", out, preexec_fn=small_files)
    assert done.returncode == 2, done.stderr
    assert "the disk is full or the file size limited" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (out / "finished.json").exists()
    assert not (out / "checkpoints/step_0").exists()

    again = hodograph_train(recipe, "--out", out)
    assert again.returncode == 0, again.stderr


def test_overrides_are_pairs_of_a_key_and_a_value() -> None:
    tokens = ("--optimizer.lr", "2e-5", "--save.steps=[1, 2]", "--batch.group-size", "4")
    assert parse_overrides(tokens) == {
        "optimizer.lr": "2e-5",
        "save.steps": "[1, 2]",
        "batch.group_size": "4",
    }
    with pytest.raises(SettingsError, match=r"^--steps needs a value\.$"):
        parse_overrides(("--steps",))
    with pytest.raises(SettingsError, match="'2' belongs to no option"):
        parse_overrides(("--steps", "1", "2"))
