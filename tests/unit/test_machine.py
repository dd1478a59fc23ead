"""Cores and memory that a process may use, as the system tells them."""

import os

import pytest

from hodograph import machine
from hodograph.engine.devices import most_workers
from hodograph.machine import available_memory, usable_cores

MEBIBYTE = 2**20


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores cannot be set apart here")
def test_cores_that_were_taken_away_do_not_count():
    whole = os.sched_getaffinity(0)
    os.sched_setaffinity(0, [min(whole)])
    try:
        assert usable_cores() == most_workers("cpu") == 1
    finally:
        os.sched_setaffinity(0, whole)
    assert usable_cores() == len(whole)


@pytest.fixture
def system(tmp_path, monkeypatch):
    """A system of files: 8000 MiB available, and what a test adds."""
    monkeypatch.setattr(machine, "PROC", tmp_path / "proc")
    monkeypatch.setattr(machine, "CGROUPS", tmp_path / "cgroup")

    def write(files):
        for name, content in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(content)

    write({"proc/meminfo": f"MemTotal: 9 kB\nMemAvailable:   {8000 * 1024} kB\n"})
    return write


@pytest.mark.usefixtures("system")
def test_without_a_cgroup_it_is_the_machines():
    assert available_memory() == 8000 * MEBIBYTE


def test_a_limit_of_any_cgroup_above_counts_and_files_in_it_are_free(system):
    system({
        "proc/self/cgroup": "0::/job/step\n",
        "cgroup/job/step/memory.max": "max\n",
        "cgroup/job/step/memory.current": "1\n",
        "cgroup/job/memory.max": f"{1000 * MEBIBYTE}\n",
        "cgroup/job/memory.current": f"{700 * MEBIBYTE}\n",
        "cgroup/job/memory.stat": f"anon 1\ninactive_file {500 * MEBIBYTE}\n",
    })  # fmt: skip
    assert available_memory() == 800 * MEBIBYTE


def test_a_limit_of_the_first_version_counts_where_its_path_is_not_to_be_seen(system):
    system({
        "proc/self/cgroup": "9:cpu,cpuacct:/x\n4:memory:/outside/of/the/container\n",
        "cgroup/memory/memory.limit_in_bytes": f"{600 * MEBIBYTE}\n",
        "cgroup/memory/memory.usage_in_bytes": f"{500 * MEBIBYTE}\n",
        "cgroup/memory/memory.stat": f"total_inactive_file {10 * MEBIBYTE}\n",
    })  # fmt: skip
    assert available_memory() == 110 * MEBIBYTE


def test_a_limit_that_is_passed_leaves_nothing(system):
    system({
        "proc/self/cgroup": "0::/\n",
        "cgroup/memory.max": "10\n",
        "cgroup/memory.current": "20\n",
    })  # fmt: skip
    assert available_memory() == 0


def test_a_system_that_does_not_tell(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "PROC", tmp_path)
    assert available_memory() is None
