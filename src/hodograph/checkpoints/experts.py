"""Stacked experts, seen as one matrix each: what one version stores in a stack, another does not.

transformers keeps the experts of a layer in two 3-D tensors, `experts.gate_up_proj` and
`experts.down_proj`; files hold them so or one by one. Here every stack is shown as
`experts.7.gate_proj.weight`, `experts.7.up_proj.weight` and `experts.7.down_proj.weight`, rows the
outputs, so that the layouts can be compared.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from hodograph.checkpoints.source import Source, TensorHeader

STACK = re.compile(r"(?P<experts>.+\.experts)\.(?P<kind>gate_up_proj|down_proj)(?:\.weight)?")
Layout = Literal["rows", "columns", "interleaved"]
COLUMNS: dict[str, Layout] = {  # model_type, where a stack holds (inputs, outputs)
    "gpt_oss": "interleaved",
    "llama4": "columns",
    "llama4_text": "columns",
    "qwen3_vl_moe": "columns",
    "qwen3_vl_moe_text": "columns",
}
KEPT_STACKS = 2  # the two of one layer, so that a stack that is put together is so once


@dataclass(frozen=True)
class Part:
    """One expert's matrix: its stack, its index there, and how to cut it out."""

    stack: str
    expert: int
    kind: Literal["gate_proj", "up_proj", "down_proj"]
    layout: Layout

    def of(self, stack: Tensor) -> Tensor:
        """The matrix, rows the outputs."""
        matrix = stack[self.expert] if self.layout == "rows" else stack[self.expert].T
        if self.kind == "down_proj":
            return matrix
        second = self.kind == "up_proj"
        if self.layout == "interleaved":
            return matrix[int(second) :: 2]
        return matrix.chunk(2)[int(second)]


@dataclass(frozen=True)
class Unstacked:
    """A source whose stacks of experts are shown one by one."""

    headers: dict[str, TensorHeader]
    source: Source
    parts: dict[str, Part]
    _kept: dict[str, Tensor] = field(default_factory=dict, repr=False, compare=False)

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file a tensor may be read from."""
        return self.source.files

    def read(self, name: str) -> Tensor:
        """Read one tensor as stored, or one expert's part of a stack."""
        part = self.parts.get(name)
        return self.source.read(name) if part is None else part.of(self._stack(part.stack))

    def _stack(self, name: str) -> Tensor:
        if name not in self._kept:
            while len(self._kept) >= KEPT_STACKS:
                del self._kept[next(iter(self._kept))]
            self._kept[name] = self.source.read(name)
        return self._kept[name]

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_kept": {}}


def unstacked(source: Source, config: Mapping[str, Any]) -> Source:
    """Show stacked experts one by one; the source itself where there are none of a known layout.

    Args:
        source: of the stored tensors.
        config: config.json, whose model_type tells layouts apart that shapes do not.
    """
    headers, parts = dict(source.headers), {}
    found = {name: match for name in headers if (match := STACK.fullmatch(name))}
    pairs: dict[str, dict[str, TensorHeader]] = {}
    for name, match in found.items():
        pairs.setdefault(match["experts"], {})[match["kind"]] = headers[name]
    for experts, pair in pairs.items():
        layout = _layout(pair, str(config.get("model_type")))
        if layout is not None:
            for header in pair.values():
                del headers[header.name]
            headers |= _shown(experts, pair, layout, parts)
    return Unstacked(dict(sorted(headers.items())), source, parts) if parts else source


def _layout(pair: Mapping[str, TensorHeader], model_type: str) -> Layout | None:
    """Which side of a stack is the outputs', from the shapes of gate_up and down together."""
    shapes = [pair[kind].shape for kind in ("gate_up_proj", "down_proj") if kind in pair]
    if len(shapes) != 2 or {len(shape) for shape in shapes} != {3} or shapes[0][0] != shapes[1][0]:
        return None
    (_, *gate_up), (_, *down) = shapes
    if gate_up == [2 * down[1], down[0]]:
        return "rows"
    if gate_up == [down[1], 2 * down[0]]:
        return COLUMNS.get(model_type)
    return None


def _shown(
    experts: str, pair: Mapping[str, TensorHeader], layout: Layout, parts: dict[str, Part]
) -> dict[str, TensorHeader]:
    """Headers of every expert's matrices; `parts` gets what each is cut from."""
    gate_up, down = pair["gate_up_proj"], pair["down_proj"]
    count, *sides = down.shape
    hidden, inner = sides if layout == "rows" else sides[::-1]
    headers = {}
    for expert in range(count):
        for kind, stack, shape in (
            ("gate_proj", gate_up, (inner, hidden)),
            ("up_proj", gate_up, (inner, hidden)),
            ("down_proj", down, (hidden, inner)),
        ):
            name = f"{experts}.{expert}.{kind}.weight"
            parts[name] = Part(stack.name, expert, kind, layout)
            headers[name] = TensorHeader(name, stack.dtype, shape, stack.file)
    return headers
