import pytest

from hodograph.matrices.naming import Role, canonical, in_tower, role_of, unwrapped


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("model.layers.3.self_attn.q_proj.weight", Role(3, "q_proj")),
        ("model.layers.11.mlp.gate_proj.weight", Role(11, "gate_proj")),
        ("layers.0.mlp.down_proj.weight", Role(0, "down_proj")),
        ("module._orig_mod.model.layers.1.self_attn.o_proj.weight", Role(1, "o_proj")),
        ("model.language_model.layers.2.mlp.up_proj.weight", Role(2, "up_proj")),
        ("transformer.h.4.attn.c_attn.weight", Role(4, "c_attn", None, "thirds", True)),
        ("h.4.attn.c_proj.weight", Role(4, "o_proj", transposed=True)),
        ("transformer.h.0.mlp.c_fc.weight", Role(0, "up_proj", transposed=True)),
        ("transformer.h.0.mlp.c_proj.weight", Role(0, "down_proj", transposed=True)),
        ("model.layers.5.self_attn.qkv_proj.weight", Role(5, "qkv_proj", None, "qkv")),
        ("model.layers.5.mlp.gate_up_proj.weight", Role(5, "gate_up_proj", None, "gate_up")),
        ("bert.encoder.layer.2.attention.self.query.weight", Role(2, "q_proj")),
        ("encoder.layer.2.attention.output.dense.weight", Role(2, "o_proj")),
        ("encoder.layer.2.intermediate.dense.weight", Role(2, "up_proj")),
        ("encoder.layer.2.output.dense.weight", Role(2, "down_proj")),
        ("model.layers.1.mlp.experts.7.up_proj.weight", Role(1, "up_proj", 7)),
        ("model.layers.1.block_sparse_moe.experts.3.w2.weight", Role(1, "down_proj", 3)),
        ("model.layers.1.block_sparse_moe.gate.weight", Role(1, "router")),
        ("model.layers.1.mlp.gate.weight", Role(1, "router")),
        ("model.layers.1.input_layernorm.weight", Role(1, "input_layernorm")),
        ("model.embed_tokens.weight", Role(None, "embed_tokens")),
        ("lm_head.weight", Role(None, "lm_head")),
        ("model.layers.3.self_attn.q_proj.bias", Role(3, "bias")),
    ],
)
def test_role_of(name, role):
    assert role_of(name) == role


def test_unwrapped_removes_any_stack_of_wrappers():
    assert unwrapped("module.base_model.model.model.layers.0.x") == "layers.0.x"
    assert unwrapped("remodel.x") == "remodel.x"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("model.layers.0.block_sparse_moe.experts.3.w1.weight",
         "model.layers.0.mlp.experts.3.gate_proj.weight"),
        ("model.layers.0.block_sparse_moe.experts.3.w2.weight",
         "model.layers.0.mlp.experts.3.down_proj.weight"),
        ("model.layers.0.block_sparse_moe.gate.weight", "model.layers.0.mlp.gate.weight"),
        ("language_model.model.layers.0.mlp.up_proj.weight",
         "model.language_model.layers.0.mlp.up_proj.weight"),
        ("base_model.model.model.layers.0.mlp.up_proj.base_layer.weight",
         "model.layers.0.mlp.up_proj.weight"),
        ("language_model.lm_head.weight", "lm_head.weight"),
        ("gpt_neox.layers.0.mlp.dense.weight", "layers.0.mlp.dense.weight"),
    ],
)  # fmt: skip
def test_names_of_one_parameter_have_one_canonical_name(one, other):
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize(
    "name",
    [
        "model.vision_tower.vision_model.encoder.layers.0.self_attn.q_proj.weight",
        "visual.blocks.0.attn.proj.weight",
    ],
)
def test_towers_are_outside_the_layers_of_the_language_model(name):
    assert in_tower(name)
    assert role_of(name) == Role(None, unwrapped(name).removesuffix(".weight"))
