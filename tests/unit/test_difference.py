import pytest
import torch

from hodograph.difference import count_different, difference
from hodograph.errors import CheckpointError

Q = "model.layers.0.self_attn.q_proj.weight"
HEAD, EMBEDDING = "lm_head.weight", "model.embed_tokens.weight"


@pytest.fixture
def checkpoints(tmp_path, write_checkpoint, layered):
    """Write two checkpoints, the second changed, and compare them."""

    def compared(change, configs=(None, None)):
        tensors = layered()
        a = write_checkpoint(tmp_path / "a", tensors, configs[0])
        change(tensors)
        return difference(a, write_checkpoint(tmp_path / "b", tensors, configs[1]))

    return compared


def test_the_same_weights_are_identical(checkpoints):
    found = checkpoints(lambda tensors: None)
    assert found.identical
    assert (found.changed, found.visible, found.differing) == (0, 0, [])
    assert found.weights == 10 * 16 + 16 + 2 * (24 * 16 + 16 * 24)


def test_counts_what_changes_natively_and_visibly(tmp_path, write_checkpoint):
    before = torch.full((4, 3), 2.0)
    after = before.clone()
    after[0, 0] += 2**-19  # seen in float32, rounded away in bfloat16
    after[1, 0] += 2**-6  # the next bfloat16 number
    a = write_checkpoint(tmp_path / "a", {"still": before, "moved": before.clone()})
    b = write_checkpoint(tmp_path / "b", {"still": before, "moved": after})
    found = difference(a, b)
    (pair,) = found.differing
    assert (pair.name, pair.changed, pair.visible) == ("moved", 2, 1)
    assert (found.weights, found.changed, found.visible) == (24, 2, 1)
    assert not found.identical


def test_a_change_below_bfloat16_is_not_visible(checkpoints):
    def change(tensors):
        tensors["model.norm.weight"][:] = torch.nextafter(
            tensors["model.norm.weight"], torch.tensor(9.0)
        )

    found = checkpoints(change)
    assert found.changed == 16
    assert found.visible < 16


def test_tensors_of_one_side_and_other_shapes_are_listed(checkpoints):
    def change(tensors):
        tensors["extra"] = tensors.pop(Q)
        tensors["model.norm.weight"] = torch.zeros(17)

    found = checkpoints(change)
    assert (found.only_a, found.only_b) == ((Q,), ("extra",))
    (pair,) = found.differing
    assert (pair.changed, pair.visible, pair.shapes) == (None, None, ((16,), (17,)))
    assert found.changed == 0
    assert not found.identical


def test_a_dtype_alone_is_a_difference_but_no_change(checkpoints):
    def change(tensors):
        tensors[Q] = tensors[Q].to(torch.float64)

    found = checkpoints(change)
    (pair,) = found.differing
    assert (pair.dtypes, pair.changed, pair.visible) == (("F32", "F64"), 0, 0)
    assert not found.identical


def test_wrapper_prefixes_do_not_count(checkpoints):
    assert checkpoints(lambda t: t.update({f"module.{Q}": t.pop(Q)})).identical


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
def test_zeros_of_both_signs_and_nan_equal_themselves(dtype):
    a = torch.tensor([0.0, float("nan"), 1.0, float("inf"), 3e-8], dtype=dtype)
    b = torch.tensor([-0.0, float("nan"), 1.0, float("inf"), 3e-8], dtype=dtype)
    assert count_different(a, b) == 0
    b[2], b[3] = float("nan"), -float("inf")
    assert count_different(a, b) == 2


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.uint8, torch.float8_e4m3fn])
def test_counts_in_dtypes_without_arithmetic(dtype):
    a = torch.tensor([0, 1, 1, 0]).to(dtype)
    assert count_different(a, torch.tensor([0, 1, 0, 1]).to(dtype)) == 2


TIED, UNTIED = {"tie_word_embeddings": True}, {"tie_word_embeddings": False}
GENERATES = UNTIED | {"architectures": ["LlamaForCausalLM"]}


def with_head(scale):
    return lambda tensors: tensors.update({HEAD: scale * tensors[EMBEDDING]})


@pytest.mark.parametrize(
    ("change", "configs", "words"),
    [
        (with_head(2.0), (TIED, TIED), ["B's config.json ties lm_head", "one in A and two"]),
        (with_head(1.0), (TIED, TIED), []),
        (lambda tensors: None, (TIED, TIED), []),
        (lambda tensors: None, (TIED, UNTIED), ["A's config.json ties head", "B's does not tie"]),
        (lambda tensors: None, (GENERATES, GENERATES), ["A's config", "B's config", "random"]),
        (lambda tensors: None, (None, {"tie_word_embeddings": "yes"}), []),
        (with_head(2.0), (None, None), []),
    ],
)
def test_surprising_ties_are_said(checkpoints, change, configs, words):
    said = " ".join(checkpoints(change, configs).ties)
    assert all(word in said for word in words)
    assert bool(said) == bool(words)


def test_the_record_holds_everything_that_differs(checkpoints):
    record = checkpoints(lambda tensors: tensors[Q].add_(1)).record()
    assert record["identical"] is False
    assert [one["name"] for one in record["differing"]] == [Q]
    assert record["changed"] == 24 * 16


def test_what_is_no_checkpoint_is_an_error(tmp_path):
    with pytest.raises(CheckpointError, match="no such file"):
        difference(tmp_path / "a", tmp_path / "b")
