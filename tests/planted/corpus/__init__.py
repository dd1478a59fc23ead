"""Bad inputs, built on the spot: every kind of damage that a file or option can arrive with."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch

from planted.corpus.headers import save


@dataclass(frozen=True)
class Bad:
    """One bad input.

    Attributes:
        kind: the group it is counted in.
        name: of the case.
        build: writes it into a folder and returns what a command is given.
        says: words that its message must hold.
        commands: commands that must refuse it, where not all that could be given it do.
    """

    kind: str
    name: str
    build: Callable[..., object]
    says: tuple[str, ...] = ()
    commands: tuple[str, ...] = field(default=())

    @property
    def id(self) -> str:
        """Name among all."""
        return f"{self.kind}: {self.name}"


def model(seed: int = 0) -> dict[str, torch.Tensor]:
    """Tensors of a small Llama-like model."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {
        "model.embed_tokens.weight": (10, 16),
        "model.norm.weight": (16,),
        "model.layers.0.self_attn.q_proj.weight": (24, 16),
        "model.layers.0.mlp.down_proj.weight": (16, 24),
    }
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def checkpoint(folder: Path, seed: int = 0) -> Path:
    """A sound checkpoint."""
    folder.mkdir(parents=True)
    save(folder / "model.safetensors", model(seed))
    return folder
