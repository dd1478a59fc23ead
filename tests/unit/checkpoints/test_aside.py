"""A digest beside the measurement is that of the checkpoint, and stops when it is not needed."""

from concurrent.futures import CancelledError
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from hodograph.checkpoints import open_checkpoint
from hodograph.checkpoints.aside import digested_aside
from hodograph.errors import CheckpointError


def write(folder: Path, count: int = 3) -> None:
    names = [f"model.layers.{i}.self_attn.q_proj.weight" for i in range(count)]
    generator = torch.Generator().manual_seed(0)
    weights = {name: torch.randn(8, 8, generator=generator) for name in names}
    save_file(weights, folder / "model.safetensors")


def test_the_digest_is_the_checkpoints(tmp_path: Path) -> None:
    write(tmp_path)
    checkpoint = open_checkpoint(tmp_path)
    with digested_aside(checkpoint) as digest:
        beside = digest()
    assert beside == checkpoint.digest()


def test_files_that_are_not_mapped_are_read_when_the_digest_is_asked_for(tmp_path: Path) -> None:
    torch.save({"model.norm.weight": torch.ones(4)}, tmp_path / "pytorch_model.bin")
    checkpoint = open_checkpoint(tmp_path)
    with digested_aside(checkpoint) as digest:
        assert digest() == checkpoint.digest()
        (tmp_path / "pytorch_model.bin").unlink()
        with pytest.raises(CheckpointError, match="not a regular file"):
            digest()


def test_an_error_in_the_block_is_passed_on(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(KeyboardInterrupt), digested_aside(open_checkpoint(tmp_path)):
        raise KeyboardInterrupt


def test_abandoned_after_the_tensor_it_reads(tmp_path: Path) -> None:
    write(tmp_path)
    asked: list[bool] = []

    def abandoned() -> bool:
        asked.append(len(asked) == 1)
        return asked[-1]

    with pytest.raises(CancelledError):
        open_checkpoint(tmp_path).digest(abandoned)
    assert asked == [False, True]


def test_a_file_that_changes_is_told_where_the_digest_is_asked_for(tmp_path: Path) -> None:
    write(tmp_path)
    checkpoint = open_checkpoint(tmp_path)
    write(tmp_path, 2)
    with digested_aside(checkpoint) as digest, pytest.raises(CheckpointError, match="changed"):
        digest()
