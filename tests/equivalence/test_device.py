"""The path of a GPU gives the CPU's numbers, and leaves no tensor behind."""

from dataclasses import replace

import pytest
import torch

from hodograph.checkpoints import open_trajectory
from hodograph.diagnostics.inputs import input_null, moment_of
from hodograph.engine.pairs import compare_parameter
from hodograph.engine.settings import PairSettings, Settings
from hodograph.engine.worker import measure_parameter
from hodograph.matrices.pairing import pair
from hodograph.matrices.precision import to_bfloat16
from planted.elsewhere import DEVICE, Elsewhere

LONG, SHORT = 96, 64
SHAPES = {"q_proj": (LONG, SHORT), "k_proj": (SHORT, SHORT), "o_proj": (SHORT, LONG)}
HOW = ("method", "certificate_angles", "certificate_similarity", "certificate_spectrum",
       "certificate_ahead")  # fmt: skip


@pytest.fixture(scope="module")
def trajectory(tmp_path_factory, write_checkpoint):
    """Tall, wide and square matrices, with outliers, through three checkpoints in float32."""
    folder, generator = tmp_path_factory.mktemp("device"), torch.Generator().manual_seed(0)
    base = {
        f"model.layers.0.self_attn.{name}.weight": torch.randn(shape, generator=generator) * 0.02
        for name, shape in SHAPES.items()
    }
    for weights in base.values():
        weights[0] *= 10
    tensors, folders = base, []
    for step in range(4):
        folders.append(write_checkpoint(folder / f"step_{step}", tensors))
        tensors = {
            name: weights + 1e-4 * torch.randn(weights.shape, generator=generator)
            for name, weights in tensors.items()
        }
    return open_trajectory(folders[0], folders[1:])


class Inputs:
    """The input null of every matrix, from inputs of decaying size."""

    def of(self, parameter, module):
        rows, cols = SHAPES[module]
        return input_null(moment_of(torch.diag(0.9 ** torch.arange(cols).double())), rows, 8, 3, 0)


def rows_of(trajectory, **settings):
    settings = Settings(also_bf16=True, permutations=1, **settings)
    units, _ = pair(trajectory, "linear", "error")
    with_inputs = [measure_parameter(unit, trajectory, settings, Inputs()) for unit in units]
    return [row for rows in with_inputs for row in rows]


def assert_alike(mine, theirs):
    assert len(mine) == len(theirs)
    for here, there in zip(mine, theirs, strict=True):
        assert here.keys() == there.keys()
        for name in here.keys() - set(HOW):
            expected = there[name]
            values = expected if isinstance(expected, list) else [expected]
            if any(isinstance(value, float) for value in values):
                expected = pytest.approx(expected, rel=1e-7, abs=1e-12)
            assert here[name] == expected, name


@pytest.mark.parametrize("exact", [False, True])
def test_a_device_gives_the_numbers_of_the_cpu(trajectory, monkeypatch, exact):
    monkeypatch.setattr("hodograph.engine.settings.DEVICE", f"cpu|{DEVICE.type}")
    reference = rows_of(trajectory, exact=exact)
    with Elsewhere() as elsewhere:
        found = rows_of(trajectory, exact=exact, device=DEVICE.type)
    assert_alike(found, reference)
    assert any("capture16_by_inputs" in row for row in found)
    assert {row["method"] for row in found} == {"svd" if exact else "eigh"}
    assert all(row["sim16_input_null"] > 0 for row in found)
    assert {row["method"] for row in reference} == {"svd" if exact else "gram"}
    work = {"aten._linalg_svd.default" if exact else "aten._linalg_eigh.default", "aten.mm.default"}
    assert work <= elsewhere.operations.keys()


@pytest.fixture
def two_runs(trajectory):
    """W0 and two checkpoints, as of two runs."""
    return replace(trajectory, tuned=trajectory.tuned[1:], steps=(1, 2))


def compared(two_runs, **settings):
    units, _ = pair(two_runs, "linear", "error")
    rows = [compare_parameter(unit, two_runs, PairSettings(**settings)) for unit in units]
    return [row for of_unit in rows for row in of_unit]


@pytest.mark.parametrize("exact", [False, True])
def test_two_runs_compared_on_a_device_give_the_numbers_of_the_cpu(two_runs, monkeypatch, exact):
    monkeypatch.setattr("hodograph.engine.settings.DEVICE", f"cpu|{DEVICE.type}")
    reference = compared(two_runs, exact=exact)
    with Elsewhere() as elsewhere:
        found = compared(two_runs, exact=exact, device=DEVICE.type)
    assert_alike(found, reference)
    assert {row["method"] for row in found} == {"svd" if exact else "eigh"}
    work = {"aten._linalg_svd.default" if exact else "aten._linalg_eigh.default", "aten.mm.default"}
    assert work <= elsewhere.operations.keys()
    for unit in pair(two_runs, "linear", "error")[0]:
        base_MN = two_runs.base.read(unit.name)
        assert sum(torch.equal(moved, base_MN) for moved in elsewhere.moved) == 1


def test_w0_is_moved_once_for_each_storage_that_shows_it(trajectory, monkeypatch):
    monkeypatch.setattr("hodograph.engine.settings.DEVICE", f"cpu|{DEVICE.type}")
    unit = pair(trajectory, "linear", "error")[0][0]
    base_MN = trajectory.base.read(unit.name)
    with Elsewhere() as elsewhere:
        settings = Settings(also_bf16=True, permutations=1, device=DEVICE.type)
        measure_parameter(unit, trajectory, settings)
    for shown_MN in (base_MN, to_bfloat16(base_MN)):
        assert sum(torch.equal(moved, shown_MN) for moved in elsewhere.moved) == 1


def test_the_pretended_device_refuses_what_a_gpu_refuses():
    with Elsewhere():
        there, here = torch.ones(3, 3).to(DEVICE), torch.ones(3, 3)
        with pytest.raises(RuntimeError, match="two devices"):
            there @ here
        with pytest.raises(RuntimeError, match="numpy"):
            there.numpy()
        assert float((there @ there.cpu().to(DEVICE)).sum()) == 27
