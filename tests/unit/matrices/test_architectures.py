"""What is found in real architectures: names, splits, and the page that lists them."""

from pathlib import Path

import pytest
import torch

pytest.importorskip("transformers")
from hodograph.checkpoints import open_checkpoint
from hodograph.checkpoints.experts import Part
from hodograph.matrices.naming import role_of
from hodograph.matrices.unfuse import blocks_of
from hodograph.modules import ATTENTION, LINEAR
from planted import architectures

PAGE = Path(__file__).parents[3] / "docs" / "architectures.md"
KINDS = ("weight", "bias")
LATENT = {"q_a_proj", "q_b_proj", "kv_a_proj", "kv_b_proj", "o_proj"}


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """Every architecture: its trajectory (saved, in memory), parameters and what is left out."""
    folder = tmp_path_factory.mktemp("architectures")
    found = {}
    for name in architectures.CONFIGS:
        (folder / name).mkdir()
        found[name] = architectures.found(*architectures.save(folder / name, name))
    return found


def test_the_page_is_what_is_read(read):
    lines = {name: architectures.read(parameters) for name, (_, parameters, _) in read.items()}
    hint = "run: cd tests && python -m planted.architectures > ../docs/architectures.md"
    assert PAGE.read_text() == architectures.page(lines), hint


@pytest.mark.parametrize("name", architectures.CONFIGS)
def test_both_ways_of_saving_hold_the_same_matrices(read, name):
    trajectory, parameters, skipped = read[name]
    for unit in parameters:
        saved, memory = (
            trajectory.base.read(unit.name),
            trajectory.tuned[0].read(unit.tuned_names[0]),
        )
        assert torch.equal(saved, memory), unit.name
    left_out = {one.parameter for one in skipped}
    assert left_out <= {
        "lm_head.weight",
        "cls.predictions.decoder.weight",
        "cls.predictions.decoder.bias",
    }


@pytest.mark.parametrize("name", architectures.CONFIGS)
def test_every_matrix_of_every_layer_is_found(read, name):
    _, parameters, _ = read[name]
    blocks = [(unit.role.layer, block.module) for unit in parameters for block in unit.blocks]
    for layer in (0, 1):
        modules = {module for at, module in blocks if at == layer}
        attention = LATENT if name == "deepseek_v3" else set(ATTENTION[:4])
        assert modules & set(ATTENTION) == attention
        gated = name not in ("gpt2", "gpt_neox", "bert")
        assert modules - set(ATTENTION) == {"up_proj", "down_proj"} | (
            {"gate_proj"} if gated else set()
        )
    entries = sum(unit.entries for unit in parameters)
    model = architectures.model(name)
    inside = [
        p
        for n, p in model.named_parameters()
        if p.dim() > 1
        and not n.endswith("bias")
        and role_of(n).layer is not None
        and role_of(n).module != "router"
    ]
    assert entries == sum(p.numel() for p in inside)


def positions(cut, shape):
    """Flat positions in a stored tensor that a cut takes out."""
    return cut(torch.arange(torch.Size(shape).numel()).reshape(shape)).flatten()


def scaled(weight, at, factor):
    weight.data.view(-1)[at] *= factor


def logits(model):
    ids = torch.arange(12).reshape(2, 6) % 40
    with torch.no_grad():
        return model.eval()(input_ids=ids).logits


def test_gpt_neox_heads_are_split_as_the_model_does():
    """Scaling q against k, or v against o, changes nothing; any other split would."""
    model = architectures.model("gpt_neox").double()
    before = logits(model)
    for layer in model.gpt_neox.layers:
        name = "gpt_neox.layers.0.attention.query_key_value.weight"
        weight = layer.attention.query_key_value.weight
        config = model.config.to_dict()
        for block in blocks_of(name, tuple(weight.shape), role_of(name), config):
            factor = {"q_proj": 4.0, "k_proj": 0.25, "v_proj": 2.0}[block.module]
            scaled(weight, positions(block.of, weight.shape), factor)
        layer.attention.query_key_value.bias.data.zero_()
        layer.attention.dense.weight.data /= 2
    torch.testing.assert_close(logits(model), before)


def test_gpt_oss_gate_and_up_are_split_as_the_model_does():
    """Without gate there is no output but the bias; without up there is."""
    for kind, alone in (("gate_proj", True), ("up_proj", False)):
        model = architectures.model("gpt_oss")
        experts = model.model.layers[0].mlp.experts
        experts.gate_up_proj_bias.data.zero_()
        experts.down_proj_bias.data.zero_()
        for expert in range(3):
            part = Part("stack", expert, kind, "interleaved")
            weight = experts.gate_up_proj
            scaled(weight, positions(part.of, weight.shape), 0.0)
        hidden = torch.randn(5, 24)
        routed = torch.zeros(5, 1, dtype=torch.long), torch.ones(5, 1)
        assert (experts(hidden, *routed).abs().max() == 0) == alone


def test_stacks_of_an_unknown_layout_stay_stacks(tmp_path, write_checkpoint):
    stacks = {
        "model.layers.0.mlp.experts.gate_up_proj": torch.randn(3, 24, 40),
        "model.layers.0.mlp.experts.down_proj": torch.randn(3, 20, 24),
    }
    unknown = open_checkpoint(write_checkpoint(tmp_path / "a", stacks, {"model_type": "other"}))
    assert list(unknown.headers) == sorted(stacks)
    known = open_checkpoint(write_checkpoint(tmp_path / "b", stacks, {"model_type": "llama4_text"}))
    assert len(known.headers) == 9
    up = known.read("model.layers.0.mlp.experts.2.up_proj.weight")
    assert torch.equal(up, stacks["model.layers.0.mlp.experts.gate_up_proj"][2][:, 20:].T)
    assert set(LINEAR) >= {role_of(name).module for name in known.headers}
