"""Second moments by hooks, against the inputs computed by hand, on real architectures."""

import pytest
import torch

from hodograph.inputs.moments import find_sites, modules_of, passes, second_moments
from hodograph.inputs.tokens import Sequences

transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.train
SIZES = {"vocab_size": 30, "num_hidden_layers": 2, "num_attention_heads": 2}
LLAMA = SIZES | {"hidden_size": 16, "intermediate_size": 24, "num_key_value_heads": 1}
ARCHITECTURES = {
    "llama": transformers.LlamaConfig(**LLAMA),
    "phi3": transformers.Phi3Config(**LLAMA, pad_token_id=0, original_max_position_embeddings=64),
    "gpt2": transformers.GPT2Config(vocab_size=30, n_embd=16, n_layer=2, n_head=2, n_positions=64),
    "bert": transformers.BertConfig(**SIZES, hidden_size=16, intermediate_size=24),
    "mixtral": transformers.MixtralConfig(**LLAMA, num_local_experts=2),
}
SHARED = {  # sites of one layer, by the modules that share one
    "llama": [3, 1, 2, 1],
    "phi3": [1, 1, 1, 1],
    "gpt2": [1, 1, 1, 1],
    "bert": [3, 1, 1, 1],
}


def body_of(name):
    torch.manual_seed(0)
    return transformers.AutoModel.from_config(ARCHITECTURES[name]).eval()


def batches():
    generator = torch.Generator().manual_seed(0)
    ids = [torch.randint(1, 30, (length,), generator=generator).tolist() for length in (5, 9, 5)]
    return list(Sequences(ids, 0).batches())


def matrices(body):
    """Names of the weights as a checkpoint of the whole model has them."""
    prefix = f"{body.base_model_prefix}." if body.base_model_prefix else ""
    return [
        prefix + name
        for name, weight in body.state_dict().items()
        if weight.dim() == 2 and "embed" not in name and "wte" not in name and "wpe" not in name
    ]


@pytest.mark.parametrize("name", SHARED)
def test_moments_are_those_of_the_inputs(name):
    body = body_of(name)
    modules = modules_of(body, [m for m in matrices(body) if "pooler" not in m])
    assert set(modules) == {m for m in matrices(body) if "pooler" not in m}
    sites = find_sites(body, list(modules.values()), batches()[0])
    assert [len(site.modules) for site in sites] == 2 * SHARED[name]
    calls = 0

    def count():
        nonlocal calls
        calls += 1

    found = second_moments(body, sites, batches(), count)
    assert calls == len(batches()) == 2
    heard = []
    for site, moment_NN in found.items():
        for module in site.modules:
            layer = body.get_submodule(module)
            handle = layer.register_forward_hook(
                lambda _, given, out: heard.append((given[0], out))
            )
            with torch.no_grad():
                for ids in batches():
                    body(input_ids=ids)
            handle.remove()
            rows_TN = torch.cat([x.reshape(-1, site.size) for x, _ in heard]).double()
            assert len(rows_TN) == 19  # every token once, no padding
            torch.testing.assert_close(moment_NN, rows_TN.T @ rows_TN)
            heard.clear()


def test_the_inputs_of_stacked_experts_have_no_module_of_their_own():
    body = body_of("mixtral")
    stored = ["model.layers.0.block_sparse_moe.experts.0.w1.weight",
              "model.layers.0.self_attn.q_proj.weight"]  # fmt: skip
    assert modules_of(body, stored) == {stored[1]: "layers.0.self_attn.q_proj"}


def test_wrapper_prefixes_do_not_hide_a_module():
    body = body_of("llama")
    names = ["module.model.layers.1.mlp.up_proj.weight", "lm_head.weight"]
    assert modules_of(body, names) == {names[0]: "layers.1.mlp.up_proj"}


def test_passes_hold_what_fits(monkeypatch):
    body = body_of("llama")
    sites = find_sites(body, list(modules_of(body, matrices(body)).values()), batches()[0])
    assert passes(sites) == [sites]
    monkeypatch.setattr("hodograph.inputs.moments.HELD", 8 * (16**2 + 24**2))
    groups = passes(sites)
    assert [site for group in groups for site in group] == sites
    assert len(groups) > 2
    assert all(sum(8 * site.size**2 for site in group) <= 8 * (16**2 + 24**2) for group in groups)
    whole = second_moments(body, sites, batches(), lambda: None)
    for group in groups:
        for site, moment_NN in second_moments(body, group, batches(), lambda: None).items():
            assert torch.equal(moment_NN, whole[site])


def test_sequences_of_one_length_go_together_and_none_is_too_long():
    sequences = Sequences([[1] * 1500, [2] * 3, [3] * 1500, [4] * 3], 0)
    assert [tuple(ids.shape) for ids in sequences.batches()] == [(2, 3), (1, 1500), (1, 1500)]
    assert sequences.tokens == 3006
