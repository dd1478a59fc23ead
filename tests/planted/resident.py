"""What measuring one matrix takes of memory, in a process of its own."""

import re
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from safetensors.torch import save_file

from hodograph.engine.plan import memory_of
from hodograph.engine.settings import Settings
from hodograph.measurement import Job, open_job, work_of
from hodograph.processes import one_thread

NAME = "model.layers.0.mlp.down_proj.weight"
WARM = (64, 96)
ROUNDS = 3  # the peak is short, and one round's can fall between two looks on a busy machine


def planned_and_measured(
    shape: tuple[int, int], checkpoints: int, dtype: torch.dtype, settings: Settings
) -> tuple[int, int]:
    """The plan's bytes, and the largest RssAnon above that of a process that has measured."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(_in_process, shape, checkpoints, dtype, settings).result()


def _in_process(
    shape: tuple[int, int], checkpoints: int, dtype: torch.dtype, settings: Settings
) -> tuple[int, int]:
    with TemporaryDirectory() as folder, one_thread():
        warm = _job(Path(folder) / "warm", WARM, checkpoints, dtype, settings)
        work_of(warm)(warm.parameters[0])
        job = _job(Path(folder) / "job", shape, checkpoints, dtype, settings)
        before, largest, ended = _anonymous(), [0], threading.Event()

        def sample() -> None:
            while not ended.wait(0.002):
                largest[0] = max(largest[0], _anonymous())

        thread = threading.Thread(target=sample)
        thread.start()
        for _ in range(ROUNDS):
            work_of(job)(job.parameters[0])
        ended.set()
        thread.join()
    return memory_of(job.parameters[0], settings), largest[0] - before


def _job(
    folder: Path, shape: tuple[int, int], checkpoints: int, dtype: torch.dtype, settings: Settings
) -> Job:
    generator = torch.Generator().manual_seed(0)
    weights, folders = torch.randn(shape, generator=generator) * 0.02, []
    for step in range(checkpoints + 1):
        folders.append(folder / f"step_{step}")
        folders[-1].mkdir(parents=True)
        save_file({NAME: weights.to(dtype)}, folders[-1] / "model.safetensors")
        weights += 3e-4 * torch.randn(shape, generator=generator)
    return open_job(folders[0], folders[1:], settings, "cpu")


def _anonymous() -> int:
    status = Path("/proc/self/status").read_text()
    return int(re.findall(r"RssAnon:\s+(\d+) kB", status)[0]) * 1024
