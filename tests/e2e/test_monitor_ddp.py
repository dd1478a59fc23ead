"""Two real processes: the first one measures, and sees what one process with both batches sees."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from hodograph import Monitor
from planted.sft import plain_trainer, tiny_model

CHILD = """
import sys
from pathlib import Path
import torch
from hodograph import Monitor
from planted.sft import plain_trainer, tiny_model
torch.set_num_threads(1)
out = Path(sys.argv[1])
monitor = Monitor(every=2, folder=out / f"monitor_{sys.argv[2]}")
settings = {"per_device_train_batch_size": 2, "ddp_find_unused_parameters": False}
settings |= {"max_steps": 6, "save_strategy": "no", "gradient_accumulation_steps": 2}
plain_trainer(out, tiny_model(), [monitor], **settings).train()
"""


def start(out: Path, rank: int, port: int) -> subprocess.Popen:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": "src:tests"}
    environment |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"}
    environment |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    command = [sys.executable, "-c", CHILD, str(out), str(rank)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def test_the_first_of_two_processes_measures_the_model_both_train(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    both = [start(tmp_path / "two", rank, port) for rank in (0, 1)]
    monitor = Monitor(every=2, folder=tmp_path / "one/monitor_0")
    settings = {"max_steps": 6, "save_strategy": "no", "gradient_accumulation_steps": 2}
    plain_trainer(tmp_path / "one", tiny_model(), [monitor], **settings).train()
    for process in both:
        _, complaint = process.communicate(timeout=300)
        assert process.returncode == 0, complaint
    two, one = (
        [json.loads(x) for x in (tmp_path / n / "monitor_0/metrics.jsonl").read_text().splitlines()]
        for n in ("two", "one")
    )
    assert not (tmp_path / "two/monitor_1").exists()
    assert [line["step"] for line in two] == [2, 4, 6]
    for ours, theirs in zip(two, one, strict=True):
        assert ours.keys() == theirs.keys()
        for name, value in ours.items():
            # the two add gradients in another order, and Adam's first steps amplify that
            assert value == pytest.approx(theirs[name], rel=2e-3), name
