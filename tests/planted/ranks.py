"""Real processes that talk through gloo, for what must be right on several."""

from collections.abc import Callable
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp


def in_processes(work: Callable[..., None], count: int, folder: Path, *arguments: object) -> None:
    """Run ``work(rank, count, folder, *arguments)`` in `count` processes joined by gloo."""
    mp.start_processes(
        _joined, (work, count, folder, *arguments), nprocs=count, start_method="spawn"
    )


def _joined(rank: int, work: Callable[..., None], count: int, folder: Path, *rest: object) -> None:
    torch.set_num_threads(1)
    meeting = f"file://{folder}/meeting"
    dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=count)
    try:
        work(rank, count, folder, *rest)
    finally:
        dist.destroy_process_group()
