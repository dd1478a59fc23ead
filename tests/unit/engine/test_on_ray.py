"""What is asked of a cluster's nodes, with Ray's answers planted; real nodes: test_ray.py."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import torch

from hodograph.engine.on_ray import OnRay, _kind_there, _require_same
from hodograph.engine.versions import versions
from hodograph.errors import SettingsError
from hodograph.matrices.naming import Role
from hodograph.matrices.pairing import Parameter

GIGABYTE = 10**9
UNIT = Parameter("model.w", ("model.w",), Role(0, "q_proj"), (), 4)
NO_CUDA = pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is here")


def node(**resources):
    return {"Alive": True, "Resources": resources}


def ray_with(*nodes):
    """Ray, whose nodes are those at first and next, and none of whose tasks ever ends."""
    task = SimpleNamespace(options=lambda **needs: SimpleNamespace(remote=lambda *given: "task"))
    seen: Iterator = iter(nodes)
    return SimpleNamespace(
        nodes=lambda: next(seen),
        cluster_resources=lambda: {"CPU": 1},
        remote=lambda function: task,
        put=lambda work: work,
        wait=lambda running, num_returns, timeout: ([], running),
        cancel=lambda reference: None,
    )


def engine(ray, monkeypatch, device="cpu", memory=GIGABYTE):
    monkeypatch.setattr("hodograph.engine.on_ray._installed", lambda: ray)
    ray.is_initialized = lambda: True
    return OnRay("auto", device, lambda unit: memory)


def test_a_core_here_and_memory_there_are_refused_instead_of_waited_for(monkeypatch):
    there = [node(CPU=0.0, memory=2.0 * GIGABYTE), node(CPU=1.0, memory=0.2 * GIGABYTE)]
    message = (
        r"^model\.w needs CPU 1, memory 1,400,000,000 on one node, and none of the 2 live nodes has"
        r" that\. The largest: CPU 0, memory 2,000,000,000; CPU 1, memory 200,000,000\.\n"
    )
    with pytest.raises(SettingsError, match=message):
        list(engine(ray_with(there), monkeypatch).measured([UNIT], None))


def test_a_gpu_must_be_where_the_memory_is(monkeypatch):
    there = [node(CPU=8.0, memory=2.0 * GIGABYTE), node(CPU=8.0, memory=100.0, GPU=1.0)]
    with pytest.raises(SettingsError, match="needs CPU 1, GPU 1, memory 1,4"):
        list(engine(ray_with(there), monkeypatch, "cuda").measured([UNIT], None))


def test_a_large_node_that_is_lost_later_ends_the_wait(monkeypatch):
    large = node(CPU=1.0, memory=2.0 * GIGABYTE)
    small = node(CPU=1.0, memory=0.2 * GIGABYTE)
    ray = ray_with([large, small], [large, small], [large | {"Alive": False}, small])
    with pytest.raises(SettingsError, match="none of the 1 live nodes"):
        list(engine(ray, monkeypatch).measured([UNIT], None))
    with pytest.raises(StopIteration):
        ray.nodes()  # it looked twice while it waited


def test_a_unit_asks_for_one_gpu_where_it_needs_one():
    asked = [OnRay("auto", device, lambda unit: 1)._needs(UNIT) for device in ("cpu", "cuda")]
    assert [needs.get("num_gpus", 0) for needs in asked] == [0, 1]
    assert all(needs["num_cpus"] == 1 for needs in asked)


@NO_CUDA
def test_a_node_without_cuda_says_so(monkeypatch):
    pytest.importorskip("ray", reason="Ray is not installed")
    monkeypatch.setattr("ray.util.get_node_ip_address", lambda: "10.0.0.7")
    found = _kind_there("cuda")
    assert isinstance(found, SettingsError)
    assert "sees no CUDA device" in str(found)
    assert str(found).endswith("on the node 10.0.0.7.")
    with pytest.raises(SettingsError, match="sees no CUDA device"):
        _require_same(versions() | {"device": "cuda, H200, CUDA 13"})
