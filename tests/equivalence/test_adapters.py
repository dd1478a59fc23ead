"""An adapter measured against its base is its merged checkpoint measured, and more exact."""

import copy
import json
import shutil

import numpy as np
import pytest
import torch

from hodograph import compare, measure
from hodograph.checkpoints import open_checkpoint
from hodograph.errors import CheckpointError

peft = pytest.importorskip("peft")
transformers = pytest.importorskip("transformers")

PATTERNS = {
    "rank_pattern": {"down_proj": 3, r"layers\.1\.self_attn\.q_proj": 2},
    "alpha_pattern": {"q_proj": 5},
}
KINDS = {
    "plain": {},
    "rslora": {"use_rslora": True},
    "patterns": PATTERNS,
    "whole": {"modules_to_save": ["lm_head", "norm"], "bias": "lora_only"},
    "embedding": {"target_modules": ["embed_tokens", "o_proj"]},
}


def llama(dtype=torch.float32):
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=31, hidden_size=24, intermediate_size=40, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, tie_word_embeddings=False,
    )  # fmt: skip
    return transformers.LlamaForCausalLM(config).to(dtype)


def gpt2():
    torch.manual_seed(0)
    config = transformers.GPT2Config(vocab_size=31, n_embd=24, n_layer=1, n_head=2, n_positions=16)
    return transformers.GPT2LMHeadModel(config)


def adapted(model, folder, steps=1, **settings):
    """Write an adapter with weights of a trained one's size, at several steps, and the merged."""
    targets = {"target_modules": ["q_proj", "down_proj"], "r": 4, "lora_alpha": 8} | settings
    wrapped = peft.get_peft_model(copy.deepcopy(model), peft.LoraConfig(**targets))
    generator = torch.Generator().manual_seed(1)
    for step in range(1, steps + 1):
        for name, weight in wrapped.named_parameters():
            if weight.requires_grad:
                size = 0.02 if "lora_" in name else 0.001
                weight.data += size * torch.randn(weight.shape, generator=generator)
        wrapped.save_pretrained(folder / f"checkpoint-{step}")
        merged = copy.deepcopy(wrapped).merge_and_unload()
        merged.save_pretrained(folder / f"merged-step-{step}")
    return folder


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("llama")
    llama().save_pretrained(folder / "base")
    return folder / "base"


@pytest.mark.filterwarnings("ignore:Setting `save_embedding_layers`:UserWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_an_adapter_reads_as_its_merged_checkpoint(base, tmp_path, kind):
    folder = adapted(llama(), tmp_path, **KINDS[kind])
    opened = open_checkpoint(folder / "checkpoint-1", open_checkpoint(base))
    merged = open_checkpoint(folder / "merged-step-1")
    assert list(opened.headers) == list(merged.headers)
    for name in merged.headers:
        expected, got = merged.read(name), opened.read(name)
        assert got.dtype == expected.dtype == torch.float32
        torch.testing.assert_close(got, expected, rtol=3e-7, atol=3e-8)


def test_conv1d_is_turned(tmp_path):
    gpt2().save_pretrained(tmp_path / "base")
    targets = {"target_modules": ["c_attn", "c_proj"], "fan_in_fan_out": True}
    folder = adapted(gpt2(), tmp_path, **targets)
    opened = open_checkpoint(folder / "checkpoint-1", open_checkpoint(tmp_path / "base"))
    merged = open_checkpoint(folder / "merged-step-1")
    for name in merged.headers:
        torch.testing.assert_close(opened.read(name), merged.read(name), rtol=3e-7, atol=3e-8)
    exact = measure(tmp_path / "base", folder / "checkpoint-1").matrices
    plain = measure(tmp_path / "base", folder / "merged-step-1").matrices
    assert {"q_proj", "k_proj", "v_proj"} < set(exact[exact["update_norm"] > 0]["module"])
    for column in ("update_norm", "sigma_1", "stable_rank"):
        mine, theirs = exact[column].astype(float), plain[column].astype(float)
        assert np.allclose(mine, theirs, rtol=1e-4, equal_nan=True)


COLUMNS = {  # what rounding W1 to float32 leaves equal, and how equal
    "update_norm": 1e-5, "sigma_1": 1e-5, "stable_rank": 1e-5, "top1_energy": 1e-5,
    "update_sparsity": 2e-2, "angle_right_mean": 1e-4, "nss": 1e-3,
    "principal_energy_right_16": 1e-4, "overlap_low_30": 2e-2, "straightness": 1e-4,
}  # fmt: skip


def test_a_trajectory_of_adapters_measures_as_its_merged_checkpoints(base, tmp_path):
    folder = adapted(llama(), tmp_path, steps=3)
    adapters = measure(base, [folder / f"checkpoint-{step}" for step in (1, 2, 3)])
    merged = measure(base, [folder / f"merged-step-{step}" for step in (1, 2, 3)])
    changed = adapters.matrices["module"].isin(["q_proj", "down_proj"])
    mine, theirs = adapters.matrices[changed], merged.matrices[changed]
    for column, tolerance in COLUMNS.items():
        a, b = mine[column].astype(float), theirs[column].astype(float)
        assert a.notna().all(), column
        assert np.allclose(a, b, rtol=tolerance, atol=tolerance / 100), column
    assert list(adapters.matrices[~changed]["update_norm"].unique()) == [0.0]
    exact = mine[mine["step"] == 1]
    assert exact["method"].str.contains("product").all()
    assert set(exact["sim16_k"]) == {4}  # the rank it has, not the rounding of the merged
    assert theirs[theirs["step"] == 1]["sim16_k"].min() > 4
    assert exact["hill_11"].isna().all()


def test_a_bfloat16_base_shows_what_merging_in_it_shows(tmp_path):
    model = llama(torch.bfloat16)
    model.save_pretrained(tmp_path / "base")
    folder = adapted(model, tmp_path)
    rows = measure(tmp_path / "base", folder / "checkpoint-1", also_bf16=True).matrices
    merged = measure(tmp_path / "base", folder / "merged-step-1").matrices
    changed = rows["module"].isin(["q_proj", "down_proj"]) & (rows["storage"] == "bfloat16")
    mine, theirs = rows[changed], merged[merged["module"].isin(["q_proj", "down_proj"])]
    assert np.allclose(mine["density"], theirs["density"], atol=0.02)  # merging rounds s B A too
    assert np.allclose(mine["update_norm"], theirs["update_norm"], rtol=0.02)
    assert not mine["method"].str.contains("product").any()


def test_two_adapters_compare_by_their_factors(base, tmp_path):
    folder = adapted(llama(), tmp_path, steps=2)
    pairs = compare(base, folder / "checkpoint-1", folder / "checkpoint-2").pairs
    changed = pairs[pairs["module"].isin(["q_proj", "down_proj"])]
    assert set(changed["sim16_k"]) == {4}
    assert changed["method"].str.contains("product").all()


def refused(folder, base, *words):
    with pytest.raises(CheckpointError) as caught:
        open_checkpoint(folder, base if base is None else open_checkpoint(base))
    for word in words:
        assert word in str(caught.value)


@pytest.fixture
def adapter(base, tmp_path):
    return adapted(llama(), tmp_path) / "checkpoint-1"


def edit(folder, **settings):
    file = folder / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | settings))


def test_an_adapter_needs_its_base(adapter, tmp_path):
    refused(adapter, None, "against the model it changes", "hodograph measure BASE ADAPTER")
    gpt2().save_pretrained(tmp_path / "gpt2")
    refused(adapter, tmp_path / "gpt2", "does not hold", "as BASE")


def test_a_base_of_other_sizes_is_refused(adapter, base, tmp_path, write_checkpoint):
    opened = open_checkpoint(base)
    tensors = {name: opened.read(name) for name in opened.headers}
    tensors["model.layers.0.self_attn.q_proj.weight"] = torch.zeros(25, 24)
    other = write_checkpoint(tmp_path / "other", tensors)
    refused(adapter, other, "do not fit", "(25, 24)")


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"peft_type": "IA3"}, "IA3"),
        ({"use_dora": True}, "DoRA"),
        ({"lora_bias": True}, "bias"),
        ({"target_parameters": ["experts.gate_up_proj"]}, "no linear layer"),
        ({"layer_replication": [[0, 2]]}, "repeats layers"),
        ({"r": 8}, "says rank 8"),
        ({"lora_alpha": None}, "alpha None"),
    ],
)
def test_what_is_more_than_a_product_is_refused(adapter, base, settings, word):
    edit(adapter, **settings)
    refused(adapter, base, word)


def test_real_dora_is_refused(base, tmp_path):
    refused(adapted(llama(), tmp_path, use_dora=True) / "checkpoint-1", base, "DoRA", "merge")


def test_half_a_pair_is_refused(adapter, base, tmp_path):
    from safetensors.torch import load_file, save_file

    tensors = load_file(adapter / "adapter_model.safetensors")
    save_file(
        {
            name: tensor
            for name, tensor in tensors.items()
            if "0.self_attn.q_proj.lora_A" not in name
        },
        adapter / "adapter_model.safetensors",
    )
    refused(adapter, base, "not pairs")


def test_pickled_adapters_are_read_alike(adapter, base, tmp_path):
    from safetensors.torch import load_file

    other = tmp_path / "pickled"
    other.mkdir()
    shutil.copy(adapter / "adapter_config.json", other)
    torch.save(load_file(adapter / "adapter_model.safetensors"), other / "adapter_model.bin")
    opened = open_checkpoint(base)
    assert open_checkpoint(other, opened).digest() == open_checkpoint(adapter, opened).digest()
