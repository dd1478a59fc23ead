import json

import pytest
import torch

from hodograph.inspection import Content, inspect


def test_says_what_the_headers_hold(tmp_path, write_checkpoint, layered):
    tensors = layered(layers=3) | {"model.ids": torch.arange(4)}
    tensors["model.norm.weight"] = tensors["model.norm.weight"].bfloat16()
    config = {"architectures": ["LlamaForCausalLM"], "tie_word_embeddings": True}
    found = inspect(write_checkpoint(tmp_path / "step_40", tensors, config))
    assert found.contents == {
        "BF16": Content(1, 16), "F32": Content(7, 160 + 6 * 384), "I64": Content(1, 4),
    }  # fmt: skip
    assert found.total == Content(9, 160 + 6 * 384 + 16 + 4)
    assert (found.architecture, found.layers, found.step) == ("LlamaForCausalLM", 3, 40)
    assert found.modules["q_proj"].shapes == ((24, 16),)
    assert (found.modules["q_proj"].layers, found.modules["q_proj"].tensors) == (3, 3)
    assert found.ties.declared is True
    assert found.ties.embedding == "model.embed_tokens.weight"
    assert found.ties.head is None
    assert list(found.files) == ["model.safetensors"]
    assert found.quantisation is None


def test_scopes_are_those_that_are_measured(tmp_path, write_checkpoint, layered):
    from hodograph import measure

    tensors = layered() | {"model.ids": torch.arange(4)}
    base = write_checkpoint(tmp_path / "base", tensors)
    tuned = write_checkpoint(tmp_path / "tuned", tensors)
    scopes = inspect(base).scopes
    for scope, one in scopes.items():
        summary = measure(base, tuned, scope=scope, only="sparsity").summary
        assert (one.matrices, one.entries) == (summary["matrices"], summary["parameters"])
        assert one.skipped == {s["parameter"]: s["reason"] for s in summary["skipped"]}
    assert scopes["all"].skipped == {"model.ids": "not floating point (I64)"}


def test_nothing_in_scope_is_said_not_raised(tmp_path, write_checkpoint):
    found = inspect(write_checkpoint(tmp_path / "a", {"x": torch.zeros(2, 2)}))
    assert "no tensor is in the scope 'linear'" in (found.scopes["linear"].refused or "")
    assert found.scopes["all"].matrices == 1
    assert found.layers == 0


@pytest.mark.parametrize(
    ("tensors", "config", "word"),
    [
        ({"x.weight": torch.zeros(2, 2).to(torch.float8_e4m3fn)}, None, "x.weight"),
        ({"x.qweight": torch.zeros(2, 2, dtype=torch.int32)}, None, "x.qweight"),
        ({"x": torch.zeros(2, 2)}, {"quantization_config": {"quant_method": "awq"}}, "awq"),
    ],
)
def test_quantised_weights_are_described(tmp_path, write_checkpoint, tensors, config, word):
    found = inspect(write_checkpoint(tmp_path / "a", tensors, config))
    assert word in (found.quantisation or "")
    assert {one.refused for one in found.scopes.values()} == {found.quantisation}


def test_the_record_is_json(tmp_path, write_checkpoint, layered):
    record = inspect(write_checkpoint(tmp_path / "a", layered())).record()
    assert json.loads(json.dumps(record))["total"]["tensors"] == 6
