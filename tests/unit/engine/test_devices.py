import pytest
import torch

from hodograph import compare, measure, plan_measurement
from hodograph.cli import app
from hodograph.engine.devices import check_device, kind_of, most_workers
from hodograph.engine.local import Local, _shares
from hodograph.engine.run import run
from hodograph.engine.settings import PairSettings, Settings
from hodograph.errors import SettingsError
from hodograph.matrices.naming import Role
from hodograph.matrices.pairing import Parameter
from hodograph.tables.store import MemoryParts

NO_CUDA = pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is here")


@pytest.fixture
def two_devices(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "H200")


@pytest.fixture
def pair(tmp_path, write_checkpoint, layered):
    base = layered()
    tuned = {name: weights * 1.01 for name, weights in base.items()}
    return [write_checkpoint(tmp_path / n, t) for n, t in (("step_0", base), ("step_1", tuned))]


@pytest.mark.parametrize("kind", [Settings, PairSettings])
@pytest.mark.parametrize("device", ["mps", "cuda:", "cuda:x", "gpu", "CPU", ""])
def test_a_device_nobody_has_is_refused(device, kind):
    with pytest.raises(SettingsError, match="device is"):
        kind(device=device)


@NO_CUDA
@pytest.mark.parametrize("work", [measure, plan_measurement])
def test_without_cuda_there_is_a_way_on(pair, work):
    with pytest.raises(SettingsError, match="--device cpu"):
        work(*pair, settings=Settings(device="cuda"))


@NO_CUDA
@pytest.mark.parametrize("command", ["measure", "compare"])
def test_the_command_line_leaves_nothing_behind(pair, tmp_path, command):
    out = tmp_path / "m"
    checkpoints = [*map(str, pair), str(pair[1])]
    command = [command, *checkpoints, "--out", str(out), "--device", "cuda"]
    with pytest.raises(SettingsError, match="sees no CUDA device"):
        app(command, exit_on_error=False)
    assert not out.exists()


@pytest.mark.usefixtures("two_devices")
@pytest.mark.parametrize(
    ("device", "workers", "message"),
    [("cuda", 3, "one process"), ("cuda:1", 2, "one process"), ("cuda:2", 1, "cuda:0 to 1")],
)
def test_more_than_there_is_is_refused(device, workers, message):
    with pytest.raises(SettingsError, match=message):
        check_device(device, workers)


@pytest.mark.usefixtures("two_devices")
def test_one_process_a_device():
    for device, workers in (("cuda", 2), ("cuda", 1), ("cuda:1", 1)):
        check_device(device, workers)
    assert [most_workers(device) for device in ("cuda", "cuda:1")] == [2, 1]
    shares = _shares(2, "cuda")
    assert [shares.get(), shares.get()] == [0, 1]


@pytest.mark.usefixtures("two_devices")
def test_devices_of_two_models_do_not_work_together(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", ["A100", "H200"].__getitem__)
    with pytest.raises(SettingsError, match=r"several models.*: A100, H200\.\n.*--workers 1"):
        check_device("cuda", 2)
    for device in ("cuda", "cuda:1"):
        check_device(device, 1)


def test_on_the_cpu_there_may_be_any_number_of_processes():
    check_device("cpu", 1000)
    assert kind_of("cpu") == "cpu"
    assert _shares(1, "cpu").get() is None


def test_too_little_memory_on_a_device_is_said():
    def work(unit):
        raise torch.OutOfMemoryError

    unit = Parameter("model.w", ("model.w",), Role(0, "q_proj"), (), 4)
    with pytest.raises(SettingsError, match="too little free memory"):
        run([unit], work, lambda nonfinite: True, MemoryParts(), lambda *progress: None, Local())


def test_the_result_names_the_device(pair):
    assert measure(*pair).summary["versions"]["device"] == "cpu"
    assert compare(*pair, pair[1]).summary["versions"]["device"] == "cpu"


def test_the_plan_names_the_device(pair):
    assert plan_measurement(*pair).device == "cpu"
