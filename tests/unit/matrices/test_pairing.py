import pytest
import torch

from hodograph.checkpoints import open_trajectory
from hodograph.errors import PairingError
from hodograph.matrices.pairing import pair


@pytest.fixture
def trajectory(tmp_path, write_checkpoint):
    def build(base, *tuned):
        folders = [
            write_checkpoint(tmp_path / f"step_{i}", t) for i, t in enumerate((base, *tuned))
        ]
        return open_trajectory(folders[0], folders[1:])

    return build


def test_scope_decides_what_is_measured_and_what_is_listed(trajectory, layered):
    both = trajectory(layered(0), layered(1))
    linear, skipped = pair(both, "linear", "error")
    assert [p.blocks[0].module for p in linear] == ["down_proj", "q_proj"] * 2
    assert not skipped
    assert [p.blocks[0].module for p in pair(both, "attention", "error")[0]] == ["q_proj"] * 2
    assert len(pair(both, "all", "error")[0]) == 6


def test_wrapper_prefixes_do_not_matter(trajectory, layered):
    wrapped = {f"module.{name}": tensor for name, tensor in layered(1).items()}
    parameters, _ = pair(trajectory(layered(0), wrapped), "linear", "error")
    assert parameters[0].name == "model.layers.0.mlp.down_proj.weight"
    assert parameters[0].tuned_names == ("module.model.layers.0.mlp.down_proj.weight",)


def test_missing_and_extra_tensors_are_named_or_skipped_on_request(trajectory, layered):
    tuned = layered(1)
    tuned["model.layers.9.mlp.up_proj.weight"] = tuned.pop("model.layers.1.mlp.down_proj.weight")
    both = trajectory(layered(0), tuned)
    with pytest.raises(PairingError) as caught:
        pair(both, "linear", "error")
    assert "only in base:  layers.1.mlp.down_proj.weight" in str(caught.value)
    assert "only in tuned: layers.9.mlp.up_proj.weight" in str(caught.value)
    assert "--unpaired skip" in str(caught.value)
    parameters, skipped = pair(both, "linear", "skip")
    assert len(parameters) == 3
    reasons = {one.parameter: one.reason for one in skipped}
    assert reasons["model.layers.1.mlp.down_proj.weight"] == "only in the base"
    assert "step_1" in reasons["model.layers.9.mlp.up_proj.weight"]


def test_other_shapes_are_named_or_skipped_on_request(trajectory, layered):
    tuned = layered(1)
    tuned["model.layers.0.mlp.down_proj.weight"] = torch.zeros(16, 25)
    both = trajectory(layered(0), tuned)
    with pytest.raises(PairingError, match=r"\(16, 24\).*\(16, 25\)"):
        pair(both, "linear", "error")
    _, (skipped,) = pair(both, "linear", "skip")
    assert "(16, 25)" in skipped.reason


def test_integers_are_skipped_with_the_reason(trajectory, layered):
    base, tuned = layered(0), layered(1)
    base["model.position_ids"] = tuned["model.position_ids"] = torch.arange(4)
    _, (skipped,) = pair(trajectory(base, tuned), "all", "error")
    assert skipped.reason == "not floating point (I64)"


def test_nothing_in_scope_is_an_error_that_shows_what_is_there(trajectory):
    tensors = {"embeddings": torch.zeros(3, 3)}
    with pytest.raises(PairingError, match="embeddings"):
        pair(trajectory(tensors, tensors), "linear", "error")


def test_two_names_for_one_parameter_are_refused(trajectory):
    twice = {"model.lm.weight": torch.zeros(2, 2), "module.model.lm.weight": torch.zeros(2, 2)}
    with pytest.raises(PairingError, match=r"lm\.weight"):
        pair(trajectory(twice, twice), "all", "error")
