"""Planted matrices and small checkpoints, written as users' checkpoints are."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings
from safetensors.torch import save_file
from torch import Tensor

SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large)
settings.register_profile("short", max_examples=40, deadline=None, suppress_health_check=SLOW)
settings.register_profile("fuzz", max_examples=20_000, deadline=None, suppress_health_check=SLOW)
settings.load_profile("short")

Planted = Callable[..., Tensor]
WriteCheckpoint = Callable[..., Path]


def orthonormal(rows: int, columns: int, seed: int) -> Tensor:
    """Random orthonormal columns in float64."""
    generator = torch.Generator().manual_seed(seed)
    square = torch.randn(rows, columns, generator=generator, dtype=torch.float64)
    return torch.linalg.qr(square).Q


@pytest.fixture(scope="session")
def planted() -> Planted:
    """Build an M x N matrix with the singular values given."""

    def build(sigma: list[float], rows: int = 24, cols: int = 16, seed: int = 0) -> Tensor:
        left = orthonormal(rows, len(sigma), seed)
        right = orthonormal(cols, len(sigma), seed + 1)
        return (left * torch.tensor(sigma, dtype=torch.float64)) @ right.T

    return build


@pytest.fixture(scope="session")
def write_checkpoint() -> WriteCheckpoint:
    """Write tensors as a Hugging Face folder."""

    def write(
        folder: Path, tensors: Mapping[str, Tensor], config: Mapping[str, object] | None = None
    ) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        save_file({k: v.contiguous() for k, v in tensors.items()}, folder / "model.safetensors")
        if config is not None:
            (folder / "config.json").write_text(json.dumps(config))
        return folder

    return write


@pytest.fixture(scope="session")
def layered() -> Callable[..., dict[str, Tensor]]:
    """Tensors of a small Llama-like model: layers x (q 24x16, down 16x24), norm and embedding."""

    def build(seed: int = 0, layers: int = 2, dtype: torch.dtype = torch.float32) -> dict:
        generator = torch.Generator().manual_seed(seed)

        def random(*shape: int) -> Tensor:
            return (torch.randn(*shape, generator=generator) * 0.05).to(dtype)

        tensors = {"model.embed_tokens.weight": random(10, 16), "model.norm.weight": random(16)}
        for layer in range(layers):
            prefix = f"model.layers.{layer}"
            tensors[f"{prefix}.self_attn.q_proj.weight"] = random(24, 16)
            tensors[f"{prefix}.mlp.down_proj.weight"] = random(16, 24)
        return tensors

    return build
