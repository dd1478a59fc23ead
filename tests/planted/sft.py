"""A plain transformers trainer of a tiny Qwen3, as a user would write one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from torch import nn
from transformers import (
    Qwen3Config,
    Qwen3ForCausalLM,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)


def tiny_model(layers: int = 3) -> Qwen3ForCausalLM:
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=24, hidden_size=48, num_hidden_layers=layers, num_attention_heads=4,
        num_key_value_heads=2, head_dim=12, intermediate_size=80, max_position_embeddings=32,
        tie_word_embeddings=True, bos_token_id=None, pad_token_id=0, eos_token_id=1,
    )  # fmt: skip
    return Qwen3ForCausalLM(config)


def texts(count: int = 256) -> Dataset:
    ids = torch.randint(2, 24, (count, 12), generator=torch.Generator().manual_seed(1)).tolist()
    return Dataset.from_dict({"input_ids": ids, "labels": ids})


def plain_trainer(
    output: Path,
    model: nn.Module,
    callbacks: Sequence[TrainerCallback],
    **settings: Any,
) -> Trainer:
    """Twelve steps that save every second one, with `callbacks` added after construction."""
    arguments: dict[str, Any] = {
        "output_dir": str(output),
        "max_steps": 12,
        "per_device_train_batch_size": 4,
        "learning_rate": 2e-3,
        "lr_scheduler_type": "linear",
        "warmup_steps": 2,
        "save_steps": 2,
        "logging_steps": 3,
        "report_to": "none",
        "use_cpu": True,
        "disable_tqdm": True,
        "dataloader_pin_memory": False,
        "seed": 3,
    }
    trainer = Trainer(
        model=model, args=TrainingArguments(**arguments | settings), train_dataset=texts()
    )
    for callback in callbacks:
        trainer.add_callback(callback)
    return trainer
