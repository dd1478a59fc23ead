import pytest
import torch

from hodograph.errors import CheckpointError
from hodograph.matrices.naming import role_of
from hodograph.matrices.unfuse import blocks_of


def split(name, tensor, config=None):
    blocks = blocks_of(name, tuple(tensor.shape), role_of(name), config or {})
    return {block.module: block.of(tensor) for block in blocks}, blocks


def test_conv1d_thirds_are_turned_and_split():
    q, k, v = (torch.randn(4, 4) for _ in range(3))
    stored = torch.cat([q, k, v]).T  # Conv1D keeps (in, out)
    parts, _ = split("transformer.h.0.attn.c_attn.weight", stored)
    assert list(parts) == ["q_proj", "k_proj", "v_proj"]
    assert all(torch.equal(parts[f"{n}_proj"], w) for n, w in zip("qkv", (q, k, v), strict=True))


def test_uneven_qkv_is_split_by_the_configured_heads():
    q, k, v = torch.randn(8, 6), torch.randn(2, 6), torch.randn(2, 6)
    config = {"num_attention_heads": 4, "num_key_value_heads": 1}
    parts, _ = split("model.layers.0.self_attn.qkv_proj.weight", torch.cat([q, k, v]), config)
    assert all(torch.equal(parts[f"{n}_proj"], w) for n, w in zip("qkv", (q, k, v), strict=True))


def test_qkv_without_heads_is_refused():
    with pytest.raises(CheckpointError, match="num_attention_heads"):
        split("model.layers.0.self_attn.qkv_proj.weight", torch.randn(12, 6))


def test_gate_up_is_halved():
    gate, up = torch.randn(5, 3), torch.randn(5, 3)
    parts, _ = split("model.layers.0.mlp.gate_up_proj.weight", torch.cat([gate, up]))
    assert torch.equal(parts["gate_proj"], gate)
    assert torch.equal(parts["up_proj"], up)


@pytest.mark.parametrize(
    ("name", "shape"),
    [("norm.weight", (7,)), ("conv.weight", (3, 2, 4)), ("model.layers.0.mlp.gate.weight", (4, 6))],
)
def test_vectors_convolutions_and_routers_have_no_spectrum(name, shape):
    tensor = torch.randn(shape)
    parts, (block,) = split(name, tensor)
    assert not block.spectral
    assert block.rows * block.cols == tensor.numel()
    assert torch.equal(next(iter(parts.values())).flatten(), tensor.flatten())
