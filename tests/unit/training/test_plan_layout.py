"""Plans for several devices, adapters and vLLM, against counts written out by hand."""

import re
from pathlib import Path
from typing import Any

import pytest
import trl
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen3Config

from hodograph.cli.train import train as train_command
from hodograph.errors import SettingsError
from hodograph.recipes import Recipe, load_recipe, parse_recipe
from hodograph.tasks.alphabet import chain_tokenizer
from hodograph.training.gpus import GPUS, Gpu
from hodograph.training.plan import plan_training
from hodograph.training.plan_memory import ACTIVATIONS, SAMPLING, Layout
from hodograph.training.plan_time import LAUNCH

ROOT = Path(__file__).parents[3]
GB = 10**9
TEMPLATE = (Path(trl.__file__).parent / "chat_templates/qwen3.jinja").read_text()
TINY = {
    "vocab_size": 24, "hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 16, "intermediate_size": 48, "tie_word_embeddings": True,
}  # fmt: skip
LAYER = 32 * 64 * 2 + 32 * 32 * 2 + 3 * 32 * 48 + 2 * 32 + 2 * 16  # with its four norms
EMBEDDING, NORM = 24 * 32, 32
ENTRIES = 4 * LAYER + EMBEDDING + NORM
QWEN3 = {  # as the configurations on the hub say
    "vocab_size": 151936, "num_key_value_heads": 8, "head_dim": 128, "tie_word_embeddings": True,
}  # fmt: skip
STUDENT = QWEN3 | {
    "hidden_size": 1024, "num_hidden_layers": 28, "num_attention_heads": 16,
    "intermediate_size": 3072,
}  # fmt: skip
TEACHER = QWEN3 | {
    "hidden_size": 2560, "num_hidden_layers": 36, "num_attention_heads": 32,
    "intermediate_size": 9728,
}  # fmt: skip


@pytest.fixture
def model(tmp_path: Path) -> dict[str, str]:
    """A folder with a configuration and a tokenizer."""
    folder = tmp_path / "model"
    Qwen3Config(**TINY).save_pretrained(folder)
    chain_tokenizer().save_pretrained(folder)
    return {"type": "path", "path": str(folder)}


def recipe(model: dict[str, str], **changes: Any) -> Recipe:
    tree = {
        "name": "planned", "steps": 10, "student": model, "objective": {"type": "rlvr"},
        "task": {"type": "chain"}, "optimizer": {"lr": 1e-6},
        "batch": {"prompts": 4, "group_size": 2}, "sampling": {"max_completion_length": 14},
    }  # fmt: skip
    return parse_recipe(tree | changes, "the test")


def test_data_parallel_divides_the_batch_and_fsdp2_the_weights_too(model) -> None:
    one = plan_training(recipe(model))
    ddp = plan_training(recipe(model), Layout(2))
    fsdp2 = plan_training(recipe(model), Layout(2, "fsdp2"))
    for plan in (ddp, fsdp2):
        assert plan.memory[ACTIVATIONS] == pytest.approx(one.memory[ACTIVATIONS] / 2, rel=0.01)
        assert plan.memory[SAMPLING] == one.memory[SAMPLING] / 2
        assert plan.flops["training"] == one.flops["training"]
    for name, shares in (("weights", 4), ("gradients", 4), ("Adam's moments", 8)):
        assert ddp.memory[f"{name}, float32"] == shares * ENTRIES
        assert fsdp2.memory[f"{name}, float32"] == shares * ENTRIES // 2
    gathered = EMBEDDING + NORM + 2 * LAYER
    assert fsdp2.memory["weights gathered at a time"] == 4 * gathered
    with pytest.raises(SettingsError, match="do not divide over 3 processes"):
        plan_training(recipe(model), Layout(3))


def test_an_adapter_trains_its_own_numbers_alone(model) -> None:
    adapter = {"type": "lora", "rank": 2, "scope": "attention"}
    plan = plan_training(recipe(model, adapter=adapter))
    added = 4 * 2 * ((32 + 64) + 2 * (32 + 32) + (64 + 32))  # q, k and v, o of four layers
    assert plan.memory["weights, float32"] == 4 * (ENTRIES + added)
    assert plan.memory["gradients, float32"] == 4 * added
    assert plan.memory["Adam's moments, float32"] == 8 * added


def test_checkpointing_trades_memory_for_one_more_pass_forward(model) -> None:
    batch = {"prompts": 4, "group_size": 2}
    plain = plan_training(recipe(model))
    spared = plan_training(recipe(model, batch=batch | {"gradient_checkpointing": True}))
    assert spared.memory[ACTIVATIONS] < 0.6 * plain.memory[ACTIVATIONS]
    assert spared.flops["training"] == pytest.approx(4 / 3 * plain.flops["training"])


def test_vllm_takes_its_share_of_a_gpu_in_place_of_the_cache(model) -> None:
    colocate = {"type": "vllm_colocate", "gpu_memory_utilization": 0.25}
    plan = plan_training(recipe(model, generation=colocate), Layout(device_bytes=80 * GB))
    assert plan.memory["vLLM: its weights and cache"] == 20 * GB
    assert SAMPLING not in plan.memory
    assert plan.seconds is None or plan.seconds > 0
    server = {"type": "vllm_server", "url": "http://localhost:8000"}
    elsewhere = plan_training(recipe(model, generation=server), Layout(device_bytes=80 * GB))
    assert not {SAMPLING, "vLLM: its weights and cache"} & elsewhere.memory.keys()


@pytest.mark.parametrize(
    ("gpu", "seconds"),
    [
        (Gpu(80 * GB, flops=1e15, bandwidth=1e6), "traffic"),
        (Gpu(80 * GB, flops=1e3, bandwidth=1e12), "arithmetic"),
        (Gpu(80 * GB, flops=1e15, bandwidth=1e12), "starts"),
    ],
)
def test_sampling_takes_the_longest_of_what_bounds_it(model, gpu: Gpu, seconds: str) -> None:
    """Eight answers of 14 tokens to prompts of 16; a token's cache is that of half an answer."""
    plan = plan_training(recipe(model), Layout(device_bytes=80 * GB, gpu=gpu))
    cache = 2 * 4 * 2 * 16 * (8 * (16 + 7)) * 2  # keys and values of four layers, bfloat16
    bounds = {
        "traffic": 14 * (8 * ENTRIES + 3 * cache) / gpu.bandwidth,
        "arithmetic": plan.flops["sampling"] / gpu.flops,
    }
    if seconds == "starts":
        started = plan.times["sampling"] / 14 / LAUNCH
        assert 4 * 20 < started < 4 * 100  # of four layers: norms, projections, attention, MLP
        assert plan.times["sampling"] > max(bounds.values())
    else:
        assert plan.times["sampling"] == pytest.approx(bounds[seconds])
    assert plan.seconds == pytest.approx(sum(plan.flops.values()) / gpu.flops)


def test_vllm_starts_a_token_at_once_and_reads_bfloat16(model) -> None:
    server = {"type": "vllm_server", "url": "http://localhost:8000"}
    slow = Gpu(80 * GB, flops=1e15, bandwidth=1e6)
    plan = plan_training(recipe(model, generation=server), Layout(device_bytes=80 * GB, gpu=slow))
    cache = 2 * 4 * 2 * 16 * (8 * (16 + 7)) * 2
    assert plan.times["sampling"] == pytest.approx(14 * (2 * ENTRIES + cache) / 1e6)


def bytewise(folder: Path, config: dict[str, Any]) -> str:
    """A model folder whose tokenizer has a token a byte, so that prompts are longer than real."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="!", pad_token='"')
    fast.chat_template = TEMPLATE
    fast.save_pretrained(folder)
    Qwen3Config(**config).save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize(("name", "share"), [("qwen3_opd", 0.8), ("qwen3_rlvr", 0.5)])
def test_the_recipes_at_real_scale_fit_one_gpu_of_80_gb(
    tmp_path: Path, name: str, share: float
) -> None:
    changes = {"student.type": "path", "student.path": bytewise(tmp_path / "s", STUDENT)}
    if name == "qwen3_opd":
        changes |= {"teacher.type": "path", "teacher.path": bytewise(tmp_path / "t", TEACHER)}
    recipe = load_recipe(ROOT / f"examples/recipes/{name}.toml", changes)
    plan = plan_training(recipe, Layout(device_bytes=80 * GB, gpu=GPUS["h100"]))
    assert plan.student == 596_049_920
    assert plan.teacher in (0, 4_022_468_096)  # as their model pages and files say
    assert plan.peak < share * 80 * GB
    assert plan.times["sampling"] > plan.seconds  # tokens one after another, and not arithmetic


def test_the_command_says_whether_it_fits(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    example = ROOT / "examples/recipes/chain_base.toml"
    train_command(example, plan=True, processes=2, parallel="fsdp2", gpu_memory=1.0)
    printed = " ".join(capsys.readouterr().out.split())
    assert "devices 2 (fsdp2); memory is that of each" in printed
    assert re.search(r"fits a GPU of 1\.0 GB yes, \d+% of it", printed)
    train_command(example, plan=True, gpu="h200")
    printed = " ".join(capsys.readouterr().out.split())
    assert "fits a GPU of 141.0 GB yes" in printed
    assert re.search(r"time of \d+ steps, estimated [\d.]+ (s|min|h)", printed)
    train_command(example, plan=True, gpu_memory=0.001)
    printed = " ".join(capsys.readouterr().out.split())
    assert re.search(r"fits a GPU of 1\.0 MB no, \d+% of it", printed)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"processes": 2}, "belong to --plan"),
        ({"plan": True, "processes": 0}, "must be above 0"),
        ({"plan": True, "gpu_memory": 0.0}, "must be above 0"),
        ({"gpu": "h100"}, "belong to --plan"),
        ({"plan": True, "gpu": "h100", "gpu_memory": 80.0}, "leave out --gpu-memory"),
    ],
)
def test_options_of_the_plan_are_not_ignored(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        train_command(ROOT / "examples/recipes/chain_base.toml", **options)
