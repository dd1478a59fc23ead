"""What the monitor remembers, as tensors and JSON, so that a resumed run goes on with it."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from hodograph.monitor.walk import MatrixWalk, Subspace

LAST = "last"


def packed(walks: Mapping[str, MatrixWalk]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Subspaces as tensors, everything else as JSON values, by matrix."""
    tensors: dict[str, Tensor] = {}
    records: dict[str, Any] = {}
    for name, walk in walks.items():
        kept = {str(step): subspace for step, subspace in walk.early.items()}
        if walk.last is not None and walk.last_step not in walk.early:
            kept[LAST] = walk.last
        tensors |= {f"{name}/{key}": subspace.v_NK for key, subspace in kept.items()}
        records[name] = {
            "subspaces": {key: [s.rank, s.side] for key, s in kept.items()},
            "last_step": walk.last_step,
            "last_noise": walk.last_noise,
            "captured": walk.captured,
        }
    return tensors, records


def unpack(
    walks: Mapping[str, MatrixWalk], tensors: Mapping[str, Tensor], records: Mapping[str, Any]
) -> None:
    """Give every walk back what `packed` took from it."""
    for name, walk in walks.items():
        record = records[name]
        kept = {
            key: Subspace(tensors[f"{name}/{key}"], rank, side)
            for key, (rank, side) in record["subspaces"].items()
        }
        last = kept.pop(LAST, None)
        walk.early = {int(step): subspace for step, subspace in kept.items()}
        walk.last_step, walk.last_noise = record["last_step"], record["last_noise"]
        walk.last = last or walk.early.get(walk.last_step)
        walk.captured = {int(step): list(v) for step, v in record["captured"].items()}
