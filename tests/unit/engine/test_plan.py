"""What the plan says is ahead: memory against what is measured, time of what is only counted."""

import sys
from dataclasses import replace

import pytest
import torch

from hodograph import plan_measurement
from hodograph.cli import app
from hodograph.engine.batch import Batch
from hodograph.engine.plan import memory_of
from hodograph.engine.settings import Settings
from hodograph.errors import SettingsError
from hodograph.matrices.naming import Role
from hodograph.matrices.pairing import Parameter
from hodograph.matrices.unfuse import Block
from planted.resident import planned_and_measured
from planted.trajectory import write_trajectory

COUNTED = ("--only", "sparsity")  # its plan times no factorisation


@pytest.fixture(scope="module")
def folders(tmp_path_factory, write_checkpoint):
    return write_trajectory(tmp_path_factory.mktemp("trajectory"), write_checkpoint, units=5)


def command(folders, *options):
    app(
        ["measure", *map(str, folders), *options], exit_on_error=False, result_action="return_value"
    )


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells what is held")
@pytest.mark.parametrize(
    ("dtype", "also_bf16"), [(torch.bfloat16, False), (torch.float32, True)], ids=str
)
def test_five_checkpoints_take_what_was_planned_and_at_least_half(dtype, also_bf16):
    settings = Settings(also_bf16=also_bf16)
    planned, measured = planned_and_measured((512, 1792), 5, dtype, settings)
    assert planned / 2 <= measured <= planned


def memory(checkpoints, **settings):
    block = Block("q_proj", 0, 1024, 2048, False, True)
    unit = Parameter("w", ("w",) * checkpoints, Role(0, "q_proj"), (block,), 1024 * 2048)
    return memory_of(unit, Settings(**settings))


def test_a_trajectory_and_a_second_storage_take_more():
    assert memory(1) < memory(2) == memory(5) < memory(5, also_bf16=True)
    assert memory(1) < memory(1, also_bf16=True)
    assert 0 < memory(5, only="sparsity") < memory(1)


def test_on_a_gpu_small_matrices_are_planned_together(folders):
    """Asked of a cluster, whose GPUs need not be here."""
    one, batched = (
        plan_measurement(folders[0], folders[1:], settings=Settings(device=device), engine="ray")
        for device in ("cpu", "cuda")
    )
    assert len(one.units) == 5
    assert len(batched.units) < 5
    assert any(isinstance(unit, Batch) for unit in batched.units)
    assert (batched.matrices, batched.bytes_to_read) == (one.matrices, one.bytes_to_read)
    assert batched.memory == max(memory_of(u, Settings(device="cuda")) for u in batched.units)


def test_a_printed_plan_counts_what_a_batch_holds(folders, capsys):
    command(folders, "--plan", "--engine", "ray", "--device", "cuda")
    printed = " ".join(capsys.readouterr().out.split())
    assert "units (stored parameters) 1, of 5 parameters" in printed
    assert "q_proj.weight and 4 alike: 5 q_proj 96 x 96" in printed


def test_sparsity_alone_takes_time_and_memory_but_less(folders):
    whole, alone = (
        plan_measurement(folders[0], folders[1:], settings=Settings(only=only))
        for only in ("everything", "sparsity")
    )
    assert 0 < alone.seconds < whole.seconds
    assert 0 < alone.memory < whole.memory


@pytest.mark.parametrize(
    ("seconds", "workers", "worth"),
    [(5, 2, True), (5, 1, False), (1, 2, False), (1, 5, False), (2, 5, True), (1, 64, False),
     (None, 2, False)],
)  # fmt: skip
def test_processes_are_worth_it_where_they_save_more_than_their_start(
    folders, seconds, workers, worth
):
    """Five units: more than five workers save no more."""
    plan = plan_measurement(folders[0], folders[1:], settings=Settings(only="sparsity"))
    assert replace(plan, seconds=seconds, workers=workers).worth_sharing is worth


def test_the_plan_of_a_shard_is_that_of_its_units(folders, capsys):
    units = []
    for number in (1, 2):
        command(folders, "--plan", *COUNTED, "--workers", "1", "--shard", f"{number}/2")
        units.append(int(capsys.readouterr().out.split("units (stored parameters)")[1].split()[0]))
    assert sum(units) == 5
    assert all(units)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--shard", "9/2"], r"shard 9/2: shards are 1/2 to 2/2"),
        (["--shard", "half"], "I/N was expected"),
        (["--shard", "1/2", "--engine", "ray"], "shares the units out itself"),
        (["--engine", "ray", "--workers", "4"], "Leave out --workers"),
        (["--engine", "ray", "--device", "cuda:1"], "Ray chooses the GPU"),
    ],
)
def test_what_measuring_refuses_the_plan_refuses(folders, options, message):
    with pytest.raises(SettingsError, match=message):
        command(folders, "--plan", *options)


def test_the_plan_for_a_cluster_says_what_is_not_known_here(folders, capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    command(folders, "--plan", "--engine", "ray", "--device", "cuda")
    out = capsys.readouterr().out
    assert "not known: there is no CUDA device here" in out
    assert "on the device" in out
    command(folders, "--plan", *COUNTED, "--engine", "ray")
    assert "s of one worker" in capsys.readouterr().out


def test_workers_that_memory_is_too_small_for_are_left_out(folders, capsys, monkeypatch):
    monkeypatch.setattr("hodograph.cli.measure.most_workers", lambda device: 4)
    monkeypatch.setattr("hodograph.cli.measure.available_memory", lambda: 1_000_000_000)
    command(folders, "--plan", *COUNTED)
    printed = capsys.readouterr()
    assert "workers, one thread each    2" in printed.out
    assert printed.err.startswith("workers: 2 in place of 4, since 1.0 GB of memory is free")
    assert printed.err.count("\n") == 1
    command(folders, "--plan", *COUNTED, "--workers", "4")
    printed = capsys.readouterr()
    assert "workers, one thread each    4" in printed.out
    assert not printed.err
