"""Training shards as the frameworks write them: torch's own processes, meshes and savers."""

import tempfile
from pathlib import Path

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    RowwiseParallel,
    parallelize_module,
)

WORLD = 4
WAYS = ("fsdp", "hsdp", "tp", "fsdp_tp", "hsdp_tp")


class Layer(nn.Module):
    """A layer with sizes that no world divides: q 7 x 6, down 6 x 7."""

    def __init__(self) -> None:
        super().__init__()
        self.q_proj = nn.Linear(6, 7)
        self.down_proj = nn.Linear(7, 6)
        self.norm = nn.LayerNorm(6)


class Model(nn.Module):
    """Two such layers, one in bfloat16, and a vector shorter than the world."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([Layer(), Layer().to(torch.bfloat16)])
        self.scale = nn.Parameter(torch.randn(3))


def model() -> Model:
    """The same model in every process."""
    torch.manual_seed(0)
    return Model()


def whole() -> dict[str, Tensor]:
    """What every way of cutting it must give back."""
    return {name: tensor.detach() for name, tensor in model().state_dict().items()}


def write(folder: Path) -> None:
    """Cut the model in every way over processes; write verl's rank files and DCP folders."""
    with tempfile.NamedTemporaryFile() as meeting:
        meeting_place = f"file://{meeting.name}.store"
        torch.multiprocessing.start_processes(
            _rank, (folder, meeting_place), WORLD, start_method="spawn"
        )


def _rank(rank: int, folder: Path, meeting_place: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=meeting_place, rank=rank, world_size=WORLD)
    for way in WAYS:
        place = folder / way / "global_step_3" / "actor"
        place.mkdir(parents=True, exist_ok=True)
        state = _cut(way).state_dict()
        torch.save(state, place / f"model_world_size_{WORLD}_rank_{rank}.pt")
        content = {"model": state, "optimizer": {"exp_avg": state["scale"]}, "step": 3}
        dcp.save(content, checkpoint_id=folder / way / "dcp")
    dist.destroy_process_group()


def _cut(way: str) -> nn.Module:
    cut = model()
    if way == "fsdp":
        return fully_shard(cut, mesh=init_device_mesh("cpu", (WORLD,), mesh_dim_names=("fsdp",)))
    if way == "hsdp":
        mesh = init_device_mesh("cpu", (2, 2), mesh_dim_names=("ddp", "fsdp"))
        return fully_shard(cut, mesh=mesh)
    if way == "tp":
        return _tensor_parallel(cut, init_device_mesh("cpu", (WORLD,), mesh_dim_names=("tp",)))
    if way == "fsdp_tp":
        mesh = init_device_mesh("cpu", (2, 2), mesh_dim_names=("fsdp", "tp"))
        return fully_shard(_tensor_parallel(cut, mesh["tp"]), mesh=mesh["fsdp"])
    mesh = init_device_mesh("cpu", (1, 2, 2), mesh_dim_names=("ddp", "fsdp", "tp"))
    return fully_shard(_tensor_parallel(cut, mesh["tp"]), mesh=mesh["ddp", "fsdp"])


def _tensor_parallel(cut: nn.Module, mesh: dist.DeviceMesh) -> nn.Module:
    plan = {"layers.*.q_proj": ColwiseParallel(), "layers.*.down_proj": RowwiseParallel()}
    return parallelize_module(cut, mesh, plan)
