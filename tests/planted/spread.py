"""A small two-layer network, trained under a constraint, alone or spread over processes."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FullyShardedDataParallel, fully_shard
from torch.nn.parallel import DistributedDataParallel
from torch.optim import AdamW

from hodograph.errors import SettingsError
from hodograph.recipes import OwnBasis
from hodograph.training.interventions.subspace.basis import agreed, confinable, open_source
from hodograph.training.interventions.subspace.constraint import (
    CoordinateConstraint,
    GradientConstraint,
    UpdateConstraint,
)
from hodograph.training.interventions.subspace.projection import confined
from hodograph.training.interventions.subspace.refusals import require_confinable

MODES = {
    "gradient": GradientConstraint,
    "update": UpdateConstraint,
    "adam_in_subspace": CoordinateConstraint,
}
STEPS, SWITCH, RANK, BATCH, PARTS = 9, 4, 3, 8, 2


class Small(nn.Module):
    """Two linear layers with a transformer's names; 10 rows do not divide evenly by 4."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        layer = nn.ModuleDict(
            {"mlp": nn.ModuleDict({"up_proj": nn.Linear(6, 10), "down_proj": nn.Linear(10, 6)})}
        )
        self.layers = nn.ModuleList([layer])

    def forward(self, batch: Tensor) -> Tensor:
        mlp = self.layers[0]["mlp"]
        return mlp["down_proj"](torch.tanh(mlp["up_proj"](batch)))


def trained(
    model: nn.Module, mode: str, share: slice
) -> tuple[dict[str, float], dict[str, Tensor]]:
    """Train on this process's share of every batch: own basis from SWITCH, clipping, two parts."""
    weights = confinable(model, "linear")
    require_confinable(model, weights)
    optimizer = AdamW(model.parameters(), lr=0.02, weight_decay=0.1)
    source, constraint = open_source(OwnBasis(type="own", rank=RANK), weights), None
    for step in range(STEPS):
        if step == SWITCH:
            constraint = MODES[mode](optimizer, confined(weights, agreed(source(weights))))
        generator = torch.Generator().manual_seed(step)
        for _ in range(PARTS):
            batch = torch.randn(BATCH, 6, generator=generator)[share]
            (model(batch) - batch.flip(1)).square().mean().div(PARTS).backward()
        if constraint is not None:
            constraint.on_gradients()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        model.zero_grad()
    assert constraint is not None
    return constraint.measures(), {n: _whole(p) for n, p in model.named_parameters()}


def alone(mode: str) -> tuple[dict[str, float], dict[str, Tensor]]:
    """The same in one process."""
    return trained(Small(), mode, slice(None))


def spread(rank: int, count: int, folder: Path) -> None:
    """One process's part, for every engine and mode; the first writes what came out."""
    size = BATCH // count
    share = slice(rank * size, (rank + 1) * size)
    found: dict[str, Any] = {"fsdp1": _said_to_fsdp1()}
    for mode in MODES:
        found[f"ddp {mode}"] = trained(DistributedDataParallel(Small()), mode, share)
        sharded = fully_shard(Small(), mesh=init_device_mesh("cpu", (count,)))
        found[f"fsdp2 {mode}"] = trained(sharded, mode, share)
    if rank == 0:
        torch.save(found, folder / "found.pt")


def _said_to_fsdp1() -> str:
    model = FullyShardedDataParallel(Small(), device_id=torch.device("cpu"))
    try:
        require_confinable(model, {})
    except SettingsError as error:
        return str(error)
    return ""


def _whole(parameter: Tensor) -> Tensor:
    full = getattr(parameter, "full_tensor", lambda: parameter)
    return full().detach().clone()
