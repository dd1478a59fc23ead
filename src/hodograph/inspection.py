"""What is in a checkpoint, and what measuring it would take, from headers alone."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

from hodograph.checkpoints import Checkpoint, Trajectory, step_of
from hodograph.checkpoints.reference import quantisation_of, stored_checkpoint
from hodograph.errors import HodographError
from hodograph.matrices.naming import role_of
from hodograph.matrices.pairing import Scope, pair
from hodograph.matrices.ties import Ties, ties_of


@dataclass(frozen=True)
class Content:
    """Some tensors of a checkpoint: how many, and how many entries they have."""

    tensors: int
    entries: int


@dataclass(frozen=True)
class Module:
    """What naming finds under one name.

    Attributes:
        layers: number of layers it is found in; 0 outside the layers.
        experts: number of experts it is found in; 0 in a dense model.
        tensors: stored tensors.
        entries: entries in them.
        shapes: the shapes they are stored in.
    """

    layers: int
    experts: int
    tensors: int
    entries: int
    shapes: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Scoped:
    """What `measure` would take in one scope.

    Attributes:
        matrices: matrices, after fused tensors are split.
        entries: entries in them.
        skipped: tensors a reader would expect there that are left out, and why.
        refused: why nothing can be measured, or None.
    """

    matrices: int
    entries: int
    skipped: dict[str, str]
    refused: str | None = None


@dataclass(frozen=True)
class Inspection:
    """What the headers and the configuration of a checkpoint say.

    Attributes:
        path: as named.
        files: size in bytes of each file with weights, by name; of a model on the hub, those that
            are downloaded.
        contents: tensors and entries by stored dtype.
        architecture: config.json's first architecture, else its model_type, else None.
        step: optimizer step, recorded or in the name; None where neither tells.
        quantisation: how it is quantised, or None.
        ties: of output head and embedding.
        modules: what naming finds, by canonical module.
        scopes: what `measure` would take, by scope.
    """

    path: str
    files: dict[str, int]
    contents: dict[str, Content]
    architecture: str | None
    step: int | None
    quantisation: str | None
    ties: Ties
    modules: dict[str, Module]
    scopes: dict[str, Scoped]

    @property
    def layers(self) -> int:
        """Number of transformer layers found by naming."""
        return max((module.layers for module in self.modules.values()), default=0)

    @property
    def total(self) -> Content:
        """All tensors together."""
        contents = self.contents.values()
        return Content(sum(c.tensors for c in contents), sum(c.entries for c in contents))

    def record(self) -> dict[str, Any]:
        """Everything as plain values, for a JSON document."""
        return asdict(self) | {"layers": self.layers, "total": asdict(self.total)}


def inspect(path: str | Path) -> Inspection:
    """Describe a checkpoint without reading a weight.

    Args:
        path: what `measure` takes, or the same with quantised weights.

    Raises:
        CheckpointError: it cannot be opened.
    """
    checkpoint = stored_checkpoint(path)
    quantisation = quantisation_of(checkpoint)
    return Inspection(
        path=str(path),
        files=_files(checkpoint),
        contents=_contents(checkpoint),
        architecture=_architecture(checkpoint.config),
        step=step_of(checkpoint),
        quantisation=quantisation,
        ties=ties_of(checkpoint),
        modules=_modules(checkpoint),
        scopes={scope: _scoped(checkpoint, scope, quantisation) for scope in get_args(Scope)},
    )


def _files(checkpoint: Checkpoint) -> dict[str, int]:
    files = sorted({header.file for header in checkpoint.headers.values()})
    return {file.name: file.stat().st_size for file in files if file.exists()}


def _contents(checkpoint: Checkpoint) -> dict[str, Content]:
    tensors, entries = Counter[str](), Counter[str]()
    for header in checkpoint.headers.values():
        tensors[header.dtype] += 1
        entries[header.dtype] += header.entries
    return {dtype: Content(tensors[dtype], entries[dtype]) for dtype in sorted(tensors)}


def _architecture(config: dict[str, Any]) -> str | None:
    names = config.get("architectures")
    first = names[0] if isinstance(names, list) and names else config.get("model_type")
    return None if first is None else str(first)


def _modules(checkpoint: Checkpoint) -> dict[str, Module]:
    grouped = defaultdict(list)
    for header in checkpoint.headers.values():
        role = role_of(header.name)
        grouped[role.module].append((role, header))
    return {
        module: Module(
            layers=_distinct(role.layer for role, _ in found),
            experts=_distinct(role.expert for role, _ in found),
            tensors=len(found),
            entries=sum(header.entries for _, header in found),
            shapes=tuple(sorted({header.shape for _, header in found})),
        )
        for module, found in sorted(grouped.items())
    }


def _distinct(values: Iterable[int | None]) -> int:
    return len(set(values) - {None})


def _scoped(checkpoint: Checkpoint, scope: Scope, quantisation: str | None) -> Scoped:
    """Pair the checkpoint with itself: what is left is what a measurement would take."""
    if quantisation:
        return Scoped(0, 0, {}, quantisation)
    alone = Trajectory(checkpoint, (checkpoint,), (1,), 0, numbered=True)
    try:
        parameters, skipped = pair(alone, scope, "skip")
    except HodographError as error:
        return Scoped(0, 0, {}, str(error).splitlines()[0])
    blocks = [block for parameter in parameters for block in parameter.blocks]
    entries = sum(block.rows * block.cols for block in blocks)
    return Scoped(len(blocks), entries, {one.parameter: one.reason for one in skipped})
