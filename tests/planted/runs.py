"""Recipes small enough to train in a second or two, and the models they need."""

from pathlib import Path
from typing import Any

from hodograph.recipes import Recipe, merged, parse_recipe

STUDENT = {
    "type": "qwen3",
    "hidden_size": 16,
    "layers": 1,
    "heads": 2,
    "kv_heads": 1,
    "head_dim": 8,
    "intermediate_size": 32,
}

BASE: dict[str, Any] = {
    "name": "tiny",
    "steps": 4,
    "student": STUDENT,
    "objective": {"type": "sft"},
    "task": {"type": "chain"},
    "batch": {"prompts": 2, "group_size": 4},
    "optimizer": {"lr": 1e-2},
    "sampling": {"max_completion_length": 6},
}


def tiny_recipe(changes: dict[str, Any] | None = None) -> Recipe:
    """A recipe of four steps on eight sequences, with `changes` laid over it."""
    return parse_recipe(merged(BASE, changes or {}), "tiny recipe")


def weights(folder: Path) -> bytes:
    """Bytes of a checkpoint's weights."""
    return (folder / "model.safetensors").read_bytes()
