"""The constraint under DDP and FSDP2, in two real processes, equals it in one."""

from typing import Any

import pytest
import torch

from planted.ranks import in_processes
from planted.spread import MODES, alone, spread

TOLERANCE = 1e-5  # relative; the mean over processes adds in another order


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> dict[str, Any]:
    """What two processes came to."""
    folder = tmp_path_factory.mktemp("processes")
    in_processes(spread, 2, folder)
    return torch.load(folder / "found.pt")


@pytest.mark.parametrize("mode", sorted(MODES))
@pytest.mark.parametrize("engine", ["ddp", "fsdp2"])
def test_two_processes_equal_one_with_the_same_batch(found, engine, mode):
    measures, weights = found[f"{engine} {mode}"]
    expected_measures, expected = alone(mode)
    assert measures == pytest.approx(expected_measures, rel=1e-4)
    if mode != "gradient":
        assert 1 - measures["subspace/update_energy"] < 1e-10
    for name, weight in expected.items():
        stored = f"module.{name}" if engine == "ddp" else name
        assert float((weights[stored] - weight).norm() / weight.norm()) < TOLERANCE, name


def test_fsdp1_is_refused_with_the_reason(found):
    assert found["fsdp1"].startswith("FSDP1 flattens gradients")
