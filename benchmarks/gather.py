"""Memory of the first process while a model that is spread over two is gathered for a checkpoint.

    python benchmarks/gather.py

Two CPU processes shard a random Qwen3 by FSDP2. Before and while the checkpoint is gathered, the
first process's anonymous memory (RssAnon) is read every few milliseconds. Takes about 20 seconds
of processor time.
"""

import ctypes
import json
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from transformers import PreTrainedModel, Qwen3Config, Qwen3ForCausalLM

from hodograph.training.saving import gathered_weights

PROCESSES = 2
CONFIG = Qwen3Config(
    vocab_size=16384, hidden_size=768, num_hidden_layers=10, num_attention_heads=12,
    num_key_value_heads=4, head_dim=64, intermediate_size=2304, tie_word_embeddings=True,
)  # fmt: skip


def main() -> None:
    """Print what each way of gathering takes beyond the process's own part."""
    with tempfile.TemporaryDirectory() as folder:
        mp.start_processes(_work, (Path(folder),), nprocs=PROCESSES, start_method="spawn")
        found = json.loads((Path(folder) / "found.json").read_text())
    whole = found.pop("model")
    print(f"model: {whole / 1e6:.0f} MB in float32, over {PROCESSES} processes")
    for way, peak in found.items():
        print(f"{way}: {peak / 1e6:.0f} MB more at the peak, {peak / whole:.2f} of the model")


def _work(rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    meeting = f"file://{folder}/meeting"
    dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=PROCESSES)
    torch.manual_seed(0)
    model = Qwen3ForCausalLM(CONFIG)
    size = 4 * sum(parameter.numel() for parameter in model.parameters())
    mesh = init_device_mesh("cpu", (PROCESSES,))
    for layer in model.model.layers:
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    found = {"model": size}
    for way, gather in _ways(model, keep=rank == 0).items():
        dist.barrier()
        found[way] = _peak(gather)
    if rank == 0:
        (folder / "found.json").write_text(json.dumps(found))
    dist.destroy_process_group()


def _ways(model: PreTrainedModel, keep: bool) -> dict[str, Callable[[], object]]:
    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    return {
        "float32 checkpoint": lambda: gathered_weights(model, "float32", keep=keep),
        "bfloat16 checkpoint": lambda: gathered_weights(model, "bfloat16", keep=keep),
        "torch's full state dict, float32": lambda: get_model_state_dict(model, options=options),
    }


def _peak(gather: Callable[[], object]) -> int:
    """Bytes of RssAnon at the peak of `gather`, beyond those before."""
    ctypes.CDLL(None).malloc_trim(0)  # give back what an earlier way left free
    before, seen, ended = _anonymous(), [0], threading.Event()

    def watch() -> None:
        while not ended.is_set():
            seen[0] = max(seen[0], _anonymous())
            time.sleep(0.002)

    watcher = threading.Thread(target=watch)
    watcher.start()
    held = gather()
    ended.set()
    watcher.join()
    peak = max(seen[0], _anonymous()) - before
    del held
    return peak


def _anonymous() -> int:
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if "RssAnon" in line) * 1024


if __name__ == "__main__":
    main()
