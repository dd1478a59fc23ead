"""Where bases come from: planted updates, planted inputs, names and orientations."""

import pytest
import torch
from torch import nn
from transformers import GPT2Config, GPT2LMHeadModel, Qwen3ForCausalLM

from hodograph.errors import CheckpointError, SettingsError
from hodograph.inputs import moments
from hodograph.recipes import NoBasis, OwnBasis, RandomBasis, RunBasis
from hodograph.tasks import open_task
from hodograph.tasks.alphabet import chain_tokenizer
from hodograph.training.interventions.subspace import inputs
from hodograph.training.interventions.subspace.basis import (
    confinable,
    open_source,
    require_rank,
    right_subspace,
)
from hodograph.training.interventions.subspace.refusals import require_confinable
from hodograph.training.models import open_model
from planted.runs import tiny_recipe

RANK = 3


def tiny_model() -> Qwen3ForCausalLM:
    return open_model(tiny_recipe().student, seed=0)


def overlap(basis, expected):
    """Similarity of two subspaces: 1 when one contains the other's span."""
    return float((basis.double().T @ expected.double()).square().sum()) / expected.shape[1]


def test_the_right_subspace_of_a_planted_update(planted):
    update = planted([3.0, 2.0, 1.0, 0.1], rows=24, cols=16, seed=5)
    expected = torch.linalg.svd(update).Vh[:RANK].T
    found = right_subspace(update, RANK)
    assert overlap(found, expected) == pytest.approx(1, abs=1e-12)
    assert torch.allclose(found.T @ found, torch.eye(RANK, dtype=torch.float64), atol=1e-13)


def test_an_update_names_no_more_directions_than_it_has(planted):
    assert right_subspace(planted([3.0, 2.0], rows=24, cols=16), 8).shape == (16, 2)
    assert right_subspace(torch.zeros(24, 16), 8).shape == (16, 0)


def test_linear_weights_are_found_and_conv1d_is_turned():
    assert [n.split(".")[-2] for n in confinable(tiny_model(), "linear")] == [
        "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj",
    ]  # fmt: skip
    gpt2 = GPT2LMHeadModel(GPT2Config(n_embd=8, n_layer=1, n_head=2, vocab_size=11, n_positions=9))
    weights = confinable(gpt2, "linear")
    assert [name.removeprefix("transformer.h.0.") for name in weights] == [
        "attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight",
    ]  # fmt: skip
    assert len(confinable(gpt2, "attention")) == 2
    source = open_source(OwnBasis(type="own", rank=1), weights)
    direction = torch.randn(32)  # c_proj of the MLP has 32 inputs and is stored inputs x outputs
    with torch.no_grad():
        weights["transformer.h.0.mlp.c_proj.weight"] += torch.outer(direction, torch.randn(8))
    found = source(weights)
    basis = found["transformer.h.0.mlp.c_proj.weight"]
    assert overlap(basis, (direction / direction.norm())[:, None]) == pytest.approx(1, abs=1e-6)
    assert found["transformer.h.0.attn.c_attn.weight"].shape == (8, 0)


def test_random_bases_are_orthonormal_seeded_and_differ():
    weights = confinable(tiny_model(), "linear")
    one, again, other = (
        open_source(RandomBasis(type="random", rank=RANK, seed=seed), weights)(weights)
        for seed in (0, 0, 1)
    )
    for name, basis in one.items():
        identity = torch.eye(RANK, dtype=torch.float64)
        assert torch.allclose(basis.T @ basis, identity, atol=1e-12)
        assert torch.equal(basis, again[name])
        assert not torch.equal(basis, other[name])
    q, k = list(one.values())[:2]
    assert not torch.equal(q, k)


def test_no_basis_leaves_no_direction():
    weights = confinable(tiny_model(), "linear")
    found = open_source(NoBasis(type="none"), weights)(weights)
    assert {basis.shape[1] for basis in found.values()} == {0}


def test_another_runs_update_between_its_own_checkpoints(tmp_path, write_checkpoint):
    weights = confinable(tiny_model(), "linear")
    first = {name: torch.randn_like(weight) for name, weight in weights.items()}
    direction = {name: torch.randn(weight.shape[1]) for name, weight in weights.items()}
    last = {
        name: tensor + torch.outer(torch.randn(len(tensor)), direction[name])
        for name, tensor in first.items()
    }
    write_checkpoint(tmp_path / "checkpoints/step_0", first)
    write_checkpoint(tmp_path / "checkpoints/step_7", last)
    settings = RunBasis(type="run", path=str(tmp_path), step=7, rank=1)
    for name, basis in open_source(settings, weights)(weights).items():
        unit = direction[name] / direction[name].norm()
        assert overlap(basis, unit[:, None]) == pytest.approx(1, abs=1e-5)
    with pytest.raises(CheckpointError, match="no such file or folder"):
        open_source(settings.model_copy(update={"step": 8}), weights)
    write_checkpoint(tmp_path / "checkpoints/step_8", {"other": torch.zeros(2, 2)})
    with pytest.raises(CheckpointError, match="no such tensor there"):
        open_source(settings.model_copy(update={"step": 8}), weights)


def test_input_bases_are_the_layers_inputs(monkeypatch):
    """Against the hidden states that transformers itself reports."""
    model, tokenizer = tiny_model(), chain_tokenizer()
    examples = open_task(tiny_recipe().task).training(0, 5)
    weights = confinable(model, "linear")
    monkeypatch.setattr(moments, "HELD", 1)  # one layer a pass
    model.train()
    found = inputs.input_bases(model, tokenizer, weights, examples, RANK)
    assert model.training
    tokens = []
    for example in examples:
        text = example.prompt + example.demonstration
        ids = torch.tensor([tokenizer(text, add_special_tokens=False)["input_ids"]])
        hidden = model.model.embed_tokens(ids)
        tokens.append(model.model.layers[0].input_layernorm(hidden)[0])
    tokens_SN = torch.cat(tokens).detach().double()
    expected = torch.linalg.svd(tokens_SN).Vh[:RANK].T
    for module in ("q_proj", "k_proj", "v_proj"):
        basis = found[f"model.layers.0.self_attn.{module}.weight"]
        assert overlap(basis, expected) == pytest.approx(1, abs=1e-6)
    assert found["model.layers.0.mlp.down_proj.weight"].shape == (32, RANK)


def test_inputs_that_span_less_give_fewer_directions():
    direction = torch.randn(16, 2, dtype=torch.float64)
    assert inputs.leading_eigenvectors(direction @ direction.T, 5).shape == (16, 2)


def test_a_rank_above_the_inputs_and_a_model_without_linear_layers_are_refused():
    with pytest.raises(SettingsError, match=r"rank 17: .*q_proj.weight has 16 inputs only"):
        open_source(
            RandomBasis(type="random", rank=17),
            {"model.layers.0.self_attn.q_proj.weight": nn.Parameter(torch.zeros(4, 16))},
        )
    with pytest.raises(SettingsError, match="nothing to confine"):
        require_rank(4, {})


def test_bfloat16_masters_are_refused():
    model = tiny_model().bfloat16()
    with pytest.raises(SettingsError, match="weights are trained in float32 only"):
        require_confinable(model, confinable(model, "linear"))
