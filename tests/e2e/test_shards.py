"""Shards that cannot talk to each other leave, merged, the bytes of one process."""

import json
import shutil

import pytest

from hodograph import Shard, measure, measure_shard, merge
from hodograph.cli import app
from hodograph.engine.settings import Settings
from hodograph.errors import SettingsError, StorageError
from hodograph.exclusive import only_process
from planted.trajectory import write_trajectory

FILES = ("matrices.parquet", "summary.json")


@pytest.fixture(scope="module")
def folders(tmp_path_factory, write_checkpoint):
    return write_trajectory(tmp_path_factory.mktemp("trajectory"), write_checkpoint, units=5)


@pytest.fixture(scope="module")
def whole(folders, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole")
    measure(folders[0], folders[1:], out=out)
    return contents(out)


@pytest.fixture(scope="module")
def two_of_three(folders, tmp_path_factory):
    """Shards 1 and 3 of 3 have ended, and shard 2 never ran."""
    out = tmp_path_factory.mktemp("sharded") / "out"
    for number in (1, 3):
        measure_shard(folders[0], folders[1:], Shard(number, 3), out=out)
    return out


@pytest.fixture
def out(two_of_three, tmp_path):
    return shutil.copytree(two_of_three, tmp_path / "out")


def contents(out):
    return {name: (out / name).read_bytes() for name in FILES}


def test_merged_shards_equal_one_process(folders, out, whole):
    command = ["measure", *map(str, folders), "--shard", "2/3", "--out", str(out)]
    app(command, exit_on_error=False, result_action="return_value")
    assert not (out / "matrices.parquet").exists()
    app(["merge", str(out)], exit_on_error=False, result_action="return_value")
    assert contents(out) == whole
    assert (out / "report.html").exists()
    assert sorted(p.name for p in out.iterdir()) == sorted(
        [".lock", "report.html", "explorer.html", "figures", "tables", *FILES]
    )
    again = merge(out)  # and measuring a shard again, or all, finds it finished
    assert again.summary["fingerprint"] == json.loads(whole["summary.json"])["fingerprint"]
    assert measure_shard(folders[0], folders[1:], Shard(2, 3), out=out).of == 5
    assert contents(out) == whole


def test_an_interrupted_shard_goes_on_where_it_stopped(folders, out, whole):
    started = []

    def stop(done, total, name):
        started.append(done)
        if done:
            raise KeyboardInterrupt

    arguments = (folders[0], folders[1:], Shard(2, 3))
    with pytest.raises(KeyboardInterrupt):
        measure_shard(*arguments, out=out, on_progress=stop)
    with pytest.raises(StorageError, match=r"1 of 5 units are missing.*\n.*--shard 2/3"):
        merge(out)
    started.clear()
    measure_shard(*arguments, out=out, on_progress=lambda done, *rest: started.append(done))
    assert started[0] > 0
    merge(out)
    assert contents(out) == whole


def test_missing_shards_are_named(out):
    with pytest.raises(StorageError, match=r"2 of 5 units are missing.*\n.*: --shard 2/3$"):
        merge(out)
    assert not (out / "matrices.parquet").exists()


def test_shards_of_two_measurements_are_told_apart(folders, out):
    measure_shard(folders[0], folders[1:], Shard(2, 3), out=out, settings=Settings(seed=1))
    with pytest.raises(StorageError, match=r"2 different .*\n.* differ in settings.seed \("):
        merge(out)


def test_checkpoints_that_changed_since_are_refused(folders, tmp_path):
    copies = [shutil.copytree(folder, tmp_path / folder.name) for folder in folders]
    moved = tmp_path / "moved"
    for number in (1, 2):
        measure_shard(copies[0], copies[1:], Shard(number, 2), out=moved)
    file = copies[1] / "model.safetensors"
    file.write_bytes(file.read_bytes())  # the same bytes, written later
    with pytest.raises(StorageError, match=r"something else .* in checkpoints\.\n"):
        merge(moved)


def test_a_damaged_part_and_a_damaged_plan_are_named(folders, out):
    measure_shard(folders[0], folders[1:], Shard(2, 3), out=out)
    part = next(out.glob("parts-*/*.arrow"))
    part.write_bytes(b"PAR1 not really")
    with pytest.raises(StorageError, match=part.name):
        merge(out)
    plan = next(out.glob("parts-*/plan.json"))
    other = json.loads(plan.read_text())
    other["settings"]["unheard_of"] = 1
    plan.write_text(json.dumps(other))
    with pytest.raises(StorageError, match=r"another version .*unheard_of"):
        merge(out)
    plan.write_text("{")
    with pytest.raises(StorageError, match=r"plan\.json: damaged"):
        merge(out)


def test_a_folder_without_shards_is_left_as_it_was(tmp_path):
    with pytest.raises(StorageError, match="no shard has left parts"):
        merge(tmp_path / "nothing")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "a/b", "1/0", "-1/3"])
def test_a_shard_that_is_none_is_refused(text):
    with pytest.raises(SettingsError, match="shard"):
        Shard.parse(text)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--engine", "ray", "--shard", "1/2"], "shares the units out itself"),
        (["--inputs", "texts.txt", "--shard", "1/2"], "a shard is one of several"),
        (["--shard", "1/9"], "9 shards, and 5 units"),
        (["--engine", "ray", "--workers", "2"], "Leave out --workers"),
    ],
)
def test_options_that_exclude_each_other(folders, tmp_path, more, message):
    command = ["measure", *map(str, folders), "--out", str(tmp_path / "m"), *more]
    with pytest.raises(SettingsError, match=message):
        app(command, exit_on_error=False)
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize("second", ["1-of-2", None])
def test_a_shard_is_worked_on_once_and_nobody_merges_meanwhile(tmp_path, second):
    with (
        only_process(tmp_path, "1-of-2"),
        only_process(tmp_path, "2-of-2"),
        pytest.raises(StorageError, match="another process"),
        only_process(tmp_path, second),
    ):
        pass
    with only_process(tmp_path):
        pass
    assert [file.name for file in tmp_path.iterdir()] == [".lock"]
