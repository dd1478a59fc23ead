"""Tiny random models of real architectures, and the page that says how they are read.

`python -m planted.architectures > ../docs/architectures.md`, in tests/.
"""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import transformers
from transformers import PretrainedConfig, PreTrainedModel

from hodograph.checkpoints import Trajectory, open_checkpoint
from hodograph.matrices.pairing import Parameter, Skipped, pair

SIZES = {
    "vocab_size": 40, "hidden_size": 24, "intermediate_size": 20, "num_hidden_layers": 2,
    "num_attention_heads": 4,
}  # fmt: skip
GROUPED = SIZES | {"num_key_value_heads": 2}
EXPERTS = {"moe_intermediate_size": 10, "num_experts_per_tok": 2}
LATENT = {
    "q_lora_rank": 6, "kv_lora_rank": 5, "qk_rope_head_dim": 4, "qk_nope_head_dim": 4,
    "v_head_dim": 6, "n_routed_experts": 4, "n_group": 2, "topk_group": 1,
    "first_k_dense_replace": 1,
}  # fmt: skip
CONFIGS: dict[str, tuple[str, dict[str, int]]] = {
    "llama": ("LlamaConfig", GROUPED),
    "qwen2": ("Qwen2Config", GROUPED),
    "qwen3": ("Qwen3Config", GROUPED | {"head_dim": 8}),
    "qwen3_moe": ("Qwen3MoeConfig", GROUPED | EXPERTS | {"head_dim": 8, "num_experts": 3}),
    "mistral": ("MistralConfig", GROUPED),
    "mixtral": ("MixtralConfig", GROUPED | {"num_local_experts": 3}),
    "gemma3": ("Gemma3TextConfig", GROUPED | {"head_dim": 8}),
    "phi3": ("Phi3Config", GROUPED | {"pad_token_id": 0}),
    "gpt2": ("GPT2Config", {"vocab_size": 40, "n_embd": 24, "n_layer": 2, "n_head": 4}),
    "gpt_neox": ("GPTNeoXConfig", SIZES),
    "olmo2": ("Olmo2Config", GROUPED),
    "deepseek_v3": ("DeepseekV3Config", SIZES | EXPERTS | LATENT | {"num_key_value_heads": 4}),
    "gpt_oss": ("GptOssConfig", GROUPED | {"head_dim": 8, "num_local_experts": 3,
                                           "num_experts_per_tok": 2}),
    "bert": ("BertConfig", SIZES),
}  # fmt: skip
HEAD = """# Architectures

Which matrices are found in each architecture, how they are split and what they are called. The
table is made from tiny random models (transformers {version}, two layers) by the command

```
cd tests && python -m planted.architectures > ../docs/architectures.md
```

and `tests/unit/matrices/test_architectures.py` holds it to what is read. Every model is saved in
both ways it is met with: by `save_pretrained`, and as the `state_dict()` it has in memory, which is
what training shards hold. Both are read as the same matrices.

| architecture | stored parameter | times | matrices of `--scope linear` (rows are outputs) |
|---|---|---|---|
"""
FOOT = """
The two layers of `deepseek_v3` are one dense and one of experts. Norms, biases, routers, embeddings
and heads are outside `--scope linear`; `--scope all` measures them too. Expert stacks are shown one
expert at a time, as `experts.7.gate_proj.weight`.
"""


@dataclass(frozen=True)
class Read:
    """How one parameter is read, layers and experts as N: its matrices, and how often it is met."""

    name: str
    matrices: str
    times: int


def model(name: str) -> PreTrainedModel:
    """A tiny random model of an architecture."""
    torch.manual_seed(0)
    kind, sizes = CONFIGS[name]
    config: PretrainedConfig = getattr(transformers, kind)(**sizes)
    masked = name == "bert"
    auto = transformers.AutoModelForMaskedLM if masked else transformers.AutoModelForCausalLM
    return auto.from_config(config)


def save(folder: Path, name: str) -> tuple[Path, Path]:
    """Write a model by save_pretrained, and its state dict in memory beside its configuration."""
    built = model(name)
    built.save_pretrained(folder / "saved")
    (folder / "memory").mkdir()
    built.config.save_pretrained(folder / "memory")
    torch.save(built.state_dict(), folder / "memory" / "pytorch_model.bin")
    return folder / "saved", folder / "memory"


def found(saved: Path, memory: Path) -> tuple[Trajectory, list[Parameter], list[Skipped]]:
    """The parameters in scope, matched between the two ways of saving, and what is left out."""
    base, other = open_checkpoint(saved), open_checkpoint(memory)
    trajectory = Trajectory(base, (other,), (1,), 0, numbered=True)
    return trajectory, *pair(trajectory, "linear", "skip")


def read(parameters: list[Parameter]) -> list[Read]:
    """What a table says of them: one line for each kind of parameter."""
    kinds = Counter((_kind(unit.name), _matrices(unit)) for unit in parameters)
    return [Read(name, matrices, times) for (name, matrices), times in sorted(kinds.items())]


def _kind(name: str) -> str:
    return re.sub(r"\.\d+\.", ".N.", re.sub(r"\.\d+\.", ".N.", name))


def _matrices(unit: Parameter) -> str:
    return ", ".join(f"{block.module} {block.rows} x {block.cols}" for block in unit.blocks)


def page(reads: dict[str, list[Read]]) -> str:
    """The page of architectures; those that are read alike share their lines."""
    alike: dict[tuple[Read, ...], list[str]] = {}
    for name, lines in reads.items():
        alike.setdefault(tuple(lines), []).append(name)
    rows = [
        f"| {', '.join(names)} | `{line.name}` | {line.times} | {line.matrices} |\n"
        for lines, names in alike.items()
        for line in lines
    ]
    return "".join([HEAD.format(version=transformers.__version__), *rows, FOOT])


def reads() -> dict[str, list[Read]]:
    """How each architecture is read."""
    result = {}
    for name in CONFIGS:
        with TemporaryDirectory() as folder:
            result[name] = read(found(*save(Path(folder), name))[1])
    return result


if __name__ == "__main__":
    print(page(reads()), end="")
