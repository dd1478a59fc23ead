"""A Ray cluster of several processes and nodes gives the bytes of one process, whatever dies."""

import os
import re
import signal
import sys
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
import torch

from hodograph import measure
from hodograph.cli import app
from hodograph.engine.on_ray import OnRay, _in_tasks, _measured_there
from hodograph.engine.run import run
from hodograph.engine.versions import versions
from hodograph.errors import CheckpointError, SettingsError
from hodograph.matrices.naming import Role
from hodograph.matrices.pairing import Parameter
from hodograph.measurement import Measurement
from hodograph.tables.store import MeasurementFolder, MemoryParts, read_measurement
from planted.trajectory import write_trajectory

pytest.importorskip("ray", reason="Ray is not installed")
NODE = {
    "num_cpus": 1, "memory": 2 * 10**9, "object_store_memory": 80 * 10**6,
    "include_log_monitor": False,
}  # fmt: skip
HEAD = NODE | {"include_dashboard": False, "no_monitor": True}
UNIT = Parameter("model.w", ("model.w",), Role(0, "q_proj"), (), 4)


@pytest.fixture(scope="module")
def cluster():
    """Two nodes of one core each on this machine, every process of them Ray's own."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    nodes = Cluster(initialize_head=True, head_node_args=HEAD)
    nodes.add_node(**NODE)
    yield nodes
    nodes.shutdown()


@pytest.fixture(scope="module")
def connected(cluster):
    """The cluster's address, with a connection that stays: its workers are started once."""
    import ray

    ray.init(cluster.address, log_to_driver=False)
    yield cluster.address
    ray.shutdown()


@pytest.fixture(scope="module")
def folders(tmp_path_factory, write_checkpoint):
    return write_trajectory(tmp_path_factory.mktemp("trajectory"), write_checkpoint, units=12)


@pytest.fixture(scope="module")
def serial(folders):
    return measure(folders[0], folders[1:])


def on_cluster(address, folders, **options):
    return measure(folders[0], folders[1:], engine="ray", address=address, **options)


def assert_equal(found, expected):
    pd.testing.assert_frame_equal(found.matrices, expected.matrices, check_exact=True)
    assert found.summary == expected.summary


def workers_at_work():
    """Processes of Ray in which a unit is being measured."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with suppressed():
                if (process / "cmdline").read_bytes().startswith(b"ray::_measured_there"):
                    found.append(int(process.name))
    return found


@contextmanager
def suppressed():
    try:
        yield
    except OSError:  # it has ended meanwhile
        return


def test_without_a_cluster_there_is_a_way_on(folders):
    with pytest.raises(SettingsError, match=r"no Ray cluster at '127.0.0.1:1'.*\n.*ray start"):
        measure(*folders[:2], engine="ray", address="127.0.0.1:1")


def test_a_killed_worker_and_a_lost_node_change_nothing(cluster, folders, serial, tmp_path):
    lost, killed = cluster.add_node(**NODE), []

    def blows(done, total, name):
        if done == 0:
            return
        if not killed:
            killed.extend(workers_at_work()[:1])
            for process in killed:
                os.kill(process, signal.SIGKILL)
        if lost in cluster.worker_nodes and done > total / 3:
            cluster.remove_node(lost, allow_graceful=False)

    found = on_cluster(cluster.address, folders, out=tmp_path / "out", on_progress=blows)
    assert killed
    assert lost not in cluster.worker_nodes
    assert_equal(found, serial)


def test_a_stopped_job_runs_only_what_is_missing(connected, folders, serial, tmp_path, monkeypatch):
    def stop(done, total, name):
        if done > total / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        on_cluster(connected, folders, out=tmp_path, on_progress=stop)
    assert len(times(tmp_path)) == 7
    parts = times(tmp_path)
    command = ["measure", *map(str, folders), "--out", str(tmp_path), "--engine", "ray"]
    monkeypatch.setattr(MeasurementFolder, "drop_parts", lambda folder: None)
    app([*command, "--address", connected], result_action="return_value")
    assert times(tmp_path).items() > parts.items()  # those that were there were left alone
    assert (tmp_path / "report.html").exists()
    assert_equal(Measurement(*read_measurement(tmp_path)), serial)


def times(out):
    return {file.name: file.stat().st_mtime_ns for file in out.glob("parts-*/*.arrow")}


def test_a_checkpoint_a_node_cannot_read_is_named_with_the_node(
    connected, tmp_path, write_checkpoint
):
    ours = write_trajectory(tmp_path, write_checkpoint, units=2, steps=1)

    def taken_away(done, total, name):
        if done == 0:
            (ours[1] / "model.safetensors").rename(tmp_path / "elsewhere")

    with pytest.raises(CheckpointError, match=r"step_1/model(.*\n)+  .* on the node [\d.]+\.$"):
        on_cluster(connected, ours, on_progress=taken_away)


def test_what_no_node_can_hold_is_refused_instead_of_waited_for(connected):
    asked = partial(run, [UNIT], None, lambda count: False, MemoryParts(), lambda *progress: None)
    with pytest.raises(SettingsError, match=r"model\.w needs CPU 1, memory 4,\d+,\d+,\d+ on one"):
        asked(OnRay(connected, "cpu", lambda unit: 4 * 10**9))
    with pytest.raises(SettingsError, match="needs CPU 1, GPU 1 on one node, and none of the"):
        OnRay(connected, "cuda", lambda unit: 1).kind_of("cuda")


@pytest.fixture
def gpu_node(cluster, connected):
    """A node that Ray is told has a GPU."""
    node = cluster.add_node(**NODE, num_gpus=1)
    yield
    cluster.remove_node(node)


@pytest.mark.usefixtures("gpu_node")
@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is here")
def test_a_node_whose_torch_lacks_cuda_is_named(connected, folders):
    with pytest.raises(SettingsError, match=r"sees no CUDA(.*\n)+  .* on the node [\d.]+\.$"):
        on_cluster(connected, folders, device="cuda")


@pytest.mark.usefixtures("gpu_node")
def test_a_unit_on_a_gpu_is_given_one(connected):
    import ray

    def given(unit):
        import ray

        return [{"gpus": len(ray.get_gpu_ids())}]

    needs, alike = OnRay(connected, "cuda", lambda unit: 1)._needs, versions() | {"device": "cpu"}
    found = list(_in_tasks(ray, [UNIT], given, needs, alike, lambda units: None))
    assert found == [(UNIT, [{"gpus": 1}])]


def test_a_node_with_other_versions_is_refused():
    found = _measured_there(None, UNIT, versions() | {"device": "cpu", "torch": "1.0"})
    assert isinstance(found, SettingsError)
    assert re.search(
        r"^torch is \S+, and 1\.0 where .*\n.*\n  .* on the node [\d.]+\.$", str(found)
    )


def test_a_numbered_device_is_not_ours_to_choose(folders):
    with pytest.raises(SettingsError, match="Ray chooses the GPU"):
        measure(*folders[:2], engine="ray", device="cuda:1")


def test_without_ray_the_extra_is_named(folders, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SettingsError, match=r"pip install 'hodograph\[ray\]'"):
        measure(*folders[:2], engine="ray")
