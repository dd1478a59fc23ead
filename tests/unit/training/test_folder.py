"""The run folder: atomic writes, and what a kill leaves behind."""

import json
from pathlib import Path

import pytest

from hodograph.errors import SettingsError, StorageError
from hodograph.training import train
from hodograph.training.folder import RunFolder, appearing_whole, read_json, write_json
from hodograph.world import ALONE, World
from planted.runs import tiny_recipe


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "step_3"

    def interrupted() -> None:
        with appearing_whole(target) as partial:
            (partial / "half").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not target.exists()
    with appearing_whole(target) as partial:
        assert not (partial / "half").exists()  # the earlier attempt is gone
        (partial / "whole").write_text("whole")
        assert not target.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["step_3"]


def test_a_file_is_replaced_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert read_json(path) == {"a": 1}
    path.write_text("{")
    with pytest.raises(StorageError, match=r"a\.json cannot be read back"):
        read_json(path)


def killed_run(path: Path) -> RunFolder:
    """A run whose state is whole at step 4 and half written at step 6."""
    folder = RunFolder(path)
    folder.create(tiny_recipe())
    for step in (0, 4, 6):
        folder.checkpoint(step).mkdir(parents=True)
    (folder.checkpoints / "step_8.partial").mkdir()
    for step in (4, 6):
        (folder.state / f"checkpoint-{step}").mkdir(parents=True)
    write_json(folder.state / "checkpoint-4/complete.json", {"step": 4})
    folder.metrics.write_text("".join(f'{{"step": {n}}}\n' for n in range(1, 8)) + '{"step": 8')
    write_json(folder.evaluations, [{"step": n} for n in (0, 4, 6)])
    return folder


def test_rewinding_keeps_what_precedes_the_last_whole_state(tmp_path: Path) -> None:
    folder = killed_run(tmp_path / "run")
    state = folder.resumable()
    assert state == folder.state / "checkpoint-4"
    folder.rewind(state)
    assert sorted(path.name for path in folder.checkpoints.iterdir()) == ["step_0", "step_4"]
    assert [path.name for path in folder.state.iterdir()] == ["checkpoint-4"]
    lines = folder.metrics.read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3, 4]
    assert read_json(folder.evaluations) == [{"step": 0}, {"step": 4}]


def test_without_a_whole_state_everything_is_done_again(tmp_path: Path) -> None:
    folder = killed_run(tmp_path / "run")
    (folder.state / "checkpoint-4/complete.json").unlink()
    assert folder.resumable() is None
    folder.rewind(None)
    assert list(folder.checkpoints.iterdir()) == []
    assert folder.metrics.read_text() == ""
    assert read_json(folder.evaluations) == []


def test_the_latest_state_replaces_the_older_ones(tmp_path: Path) -> None:
    folder = killed_run(tmp_path / "run")
    folder.complete_state(6)
    assert [path.name for path in folder.state.iterdir()] == ["checkpoint-6"]
    assert folder.resumable() == folder.state / "checkpoint-6"
    (folder.state / "checkpoint-10").mkdir()
    write_json(folder.state / "checkpoint-10/complete.json", {"step": 10})
    assert folder.resumable() == folder.state / "checkpoint-10"  # by number, not by name


def test_finishing_names_the_final_checkpoint_and_drops_the_state(tmp_path: Path) -> None:
    folder = killed_run(tmp_path / "run")
    folder.finish(6)
    assert read_json(folder.finished) == {"final_checkpoint": "checkpoints/step_6", "steps": 6}
    assert not folder.state.exists()


def test_a_run_belongs_to_one_recipe(tmp_path: Path) -> None:
    folder = killed_run(tmp_path / "run")
    folder.require(tiny_recipe())
    with pytest.raises(SettingsError, match=r"'steps' differs"):
        folder.require(tiny_recipe({"steps": 9}))


def test_a_key_that_is_newer_than_a_run_counts_as_its_default(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.create(tiny_recipe({"objective": {"type": "rlvr"}}))
    older = {k: v for k, v in read_json(folder.recipe).items() if k not in ("selection", "rollout")}
    write_json(folder.recipe, older)
    folder.require(tiny_recipe({"objective": {"type": "rlvr"}}))
    selected = {"objective": {"type": "rlvr"}, "selection": {"type": "random", "rho": 0.5}}
    with pytest.raises(SettingsError, match=r"'selection.*' differs"):
        folder.require(tiny_recipe(selected))


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    occupied = tmp_path / "file"
    occupied.write_text("mine")
    with pytest.raises(StorageError, match=r"file/run: cannot be written .Not a directory"):
        train(tiny_recipe({"steps": 1}), occupied / "run")
    with pytest.raises(StorageError, match=r"file: cannot be written .File exists"):
        train(tiny_recipe({"steps": 1}), occupied)
    assert occupied.read_text() == "mine"


def test_a_state_of_other_processes_is_not_gone_on_with(tmp_path: Path) -> None:
    folder, two = RunFolder(tmp_path), World(rank=0, size=2)
    (folder.state / "checkpoint-3").mkdir(parents=True)
    folder.complete_state(3, two)
    assert folder.resumable(two) == folder.state / "checkpoint-3"
    for other in (ALONE, World(rank=0, size=4), World(rank=0, size=2, sharded=True)):
        with pytest.raises(SettingsError, match=r"trained by 2 processes \(ddp\), not"):
            folder.resumable(other)
