"""Sound files whose tensors cannot be measured against the base."""

from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from planted.corpus import Bad, model
from planted.corpus.headers import Q, save

DOWN = "model.layers.0.mlp.down_proj.weight"
EMBEDDING = "model.embed_tokens.weight"
FUSED = "model.layers.0.self_attn.qkv_proj.weight"


def cases() -> Iterator[Bad]:
    """Every checkpoint that opens but cannot be measured."""
    for name, change in CHANGES.items():
        yield Bad("weights", name, _changed(change))


def _changed(change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        tensors = model(1)
        change(tensors)
        folder = folder / "step_5"
        folder.mkdir()
        save(folder / "model.safetensors", tensors)
        return folder

    return build


def _put(name: str, value: float) -> Callable[[dict[str, torch.Tensor]], object]:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        tensors[name][1, 1] = value

    return change


def _renamed(old: str, new: str) -> Callable[[dict[str, torch.Tensor]], object]:
    return lambda tensors: tensors.update({new: tensors.pop(old)})


def _replaced(name: str, tensor: torch.Tensor) -> Callable[[dict[str, torch.Tensor]], object]:
    return lambda tensors: tensors.update({name: tensor})


def _only(tensors: dict[str, torch.Tensor], **kept: torch.Tensor) -> None:
    tensors.clear()
    tensors.update(kept)


CHANGES: dict[str, Callable[[dict[str, torch.Tensor]], object]] = {
    "NaN": _put(Q, float("nan")),
    "infinity": _put(Q, float("inf")),
    "minus infinity": _put(DOWN, float("-inf")),
    "a tensor missing": lambda tensors: tensors.pop(Q),
    "a tensor more": _replaced("model.layers.1.self_attn.q_proj.weight", torch.zeros(24, 16)),
    "another vocabulary": _replaced(EMBEDDING, torch.zeros(12, 16)),
    "another shape": _replaced(Q, torch.zeros(16, 16)),
    "transposed": lambda tensors: tensors.update({Q: tensors[Q].T.contiguous()}),
    "flattened": lambda tensors: tensors.update({Q: tensors[Q].flatten()}),
    "a scalar for a matrix": _replaced(Q, torch.tensor(1.0)),
    "an empty matrix": _replaced(Q, torch.zeros(0, 16)),
    "huge and empty": _replaced(Q, torch.zeros(0, 1 << 40)),
    "other names": _renamed(Q, "decoder.blocks.0.attn.query"),
    "names in another case": _renamed(Q, Q.upper()),
    "a name twice under wrappers": _replaced(f"module.{Q}", torch.zeros(24, 16)),
    "integers alone": lambda tensors: _only(tensors, a=torch.zeros(4, 4, dtype=torch.int64)),
    "nothing a base has": lambda tensors: _only(tensors, a=torch.zeros(4, 4)),
    "8-bit floats": lambda tensors: tensors.update({Q: tensors[Q].to(torch.float8_e4m3fn)}),
    "packed codes": _replaced(f"{Q[:-7]}.qweight", torch.zeros(4, 4, dtype=torch.int32)),
    "fused and not": _renamed(Q, FUSED),
    "an escape sequence for a name": _renamed(Q, "\x1b[2J\x1b]0;owned\x07.weight"),
    "markup for a name": _renamed(Q, "[link=file:///etc/passwd]x[/link]"),
    "a path for a name": _renamed(Q, "../../../../owned"),
    "an empty name": _renamed(Q, ""),
    "a layer of 5000 digits": _renamed(Q, Q.replace("0", "9" * 5000)),
}
