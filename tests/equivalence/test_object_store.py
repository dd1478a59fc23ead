"""A measurement kept in an S3-compatible store has the bytes of one kept in a folder."""

import re

import fsspec
import pytest

from hodograph import Shard, measure, measure_shard, merge
from hodograph.cli import app
from hodograph.errors import SettingsError, StorageError
from planted.trajectory import write_trajectory

pytest.importorskip("moto", reason="moto, a local S3 server, is not installed")
pytest.importorskip("s3fs", reason="s3fs is not installed")
FILES = ("matrices.parquet", "summary.json")


@pytest.fixture(scope="module")
def s3():
    """A bucket of a real S3 server on this machine, spoken to over HTTP."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "a")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "b")
        fsspec.filesystem("s3").mkdir("bucket")
        yield fsspec.filesystem("s3")
    server.stop()


@pytest.fixture(scope="module")
def folders(tmp_path_factory, write_checkpoint):
    return write_trajectory(tmp_path_factory.mktemp("trajectory"), write_checkpoint, units=4)


@pytest.fixture(scope="module")
def whole(folders, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole")
    measure(folders[0], folders[1:], out=out)
    return {name: (out / name).read_bytes() for name in FILES}


def contents(s3, place):
    return {name: s3.cat_file(f"{place}/{name}") for name in FILES}


def test_interrupted_it_goes_on_and_ends_with_the_same_bytes(s3, folders, whole):
    def stop(done, total, name):
        if done > total / 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure(folders[0], folders[1:], out="s3://bucket/runs/whole", on_progress=stop)
    parts = s3.find("bucket/runs/whole")
    assert [len(parts), sum(".arrow" in name for name in parts)] == [2, 2]
    done = []
    measure(
        folders[0], folders[1:], out="s3://bucket/runs/whole", on_progress=lambda *p: done.append(p)
    )
    assert done[0][0] == done[0][1] / 2
    assert contents(s3, "bucket/runs/whole") == whole
    assert len(s3.find("bucket/runs/whole")) == len(FILES)
    done.clear()
    measure(
        folders[0], folders[1:], out="s3://bucket/runs/whole", on_progress=lambda *p: done.append(p)
    )
    assert done == []  # it was finished


def test_shards_are_merged_there_and_the_page_is_beside(s3, folders, whole):
    command = ["measure", *map(str, folders), "--out", "s3://bucket/sharded", "--shard"]
    app([*command, "1/2"], result_action="return_value")
    with pytest.raises(StorageError, match="s3://bucket/sharded: 2 of 4 units are missing"):
        merge("s3://bucket/sharded")
    measure_shard(folders[0], folders[1:], Shard(2, 2), out="s3://bucket/sharded")
    app(["merge", "s3://bucket/sharded"], result_action="return_value")
    assert contents(s3, "bucket/sharded") == whole
    page = s3.cat_file("bucket/sharded/report.html")
    app(["report", "s3://bucket/sharded"], result_action="return_value")
    assert s3.cat_file("bucket/sharded/report.html") == page
    names = {path.split("/")[2] for path in s3.find("bucket/sharded")}
    assert names == {*FILES, "report.html", "explorer.html", "figures", "tables"}
    links = re.findall(r'href="((?:figures|tables)/[^"]*)"', page.decode())
    assert links
    assert all(s3.exists(f"bucket/sharded/{link}") for link in links)


@pytest.mark.usefixtures("s3")
def test_a_bucket_that_is_not_there_is_said_before_anything_is_measured(folders):
    seen = []
    with pytest.raises(StorageError, match=r"s3://nobucket/x/.*bucket does not exist"):
        measure(*folders[:2], out="s3://nobucket/x", on_progress=lambda *p: seen.append(p))
    assert seen == []


@pytest.mark.usefixtures("s3")
def test_a_damaged_part_there_is_named(s3, folders):
    measure_shard(folders[0], folders[1:], Shard(1, 1), out="s3://bucket/damaged")
    part = next(name for name in s3.find("bucket/damaged") if name.endswith(".arrow"))
    s3.pipe_file(part, b"PAR1 not really")
    with pytest.raises(StorageError, match=part):
        merge("s3://bucket/damaged")


def test_a_place_where_files_grow_is_refused(folders):
    with pytest.raises(SettingsError, match="files do not appear whole"):
        measure(*folders[:2], out="sftp://host/x")
