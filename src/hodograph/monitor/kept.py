"""Weights that are kept for later: in memory, or on disk and memory-mapped."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from hodograph.atomic import write_atomically
from hodograph.errors import StorageError

Weights = Mapping[str, Tensor]


class OnDisk(Mapping[str, Tensor]):
    """Named tensors of a safetensors file, mapped into memory one at a time."""

    def __init__(self, file: Path) -> None:
        self._file = file
        try:
            with safe_open(file, framework="pt") as opened:
                self._names = list(opened.keys())
        except (SafetensorError, OSError) as error:
            raise unreadable(file, error) from None

    def __getitem__(self, name: str) -> Tensor:
        with safe_open(self._file, framework="pt") as opened:
            return opened.get_tensor(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def in_memory(weights: Weights) -> dict[str, Tensor]:
    """Copies that later training steps do not touch."""
    return {name: tensor.clone() for name, tensor in weights.items()}


def write_weights(file: Path, weights: Weights, metadata: dict[str, str] | None = None) -> None:
    """Write tensors to a safetensors file that is whole or absent."""
    whole = {name: tensor.contiguous() for name, tensor in weights.items()}
    write_atomically(file, lambda path: save_file(whole, path, metadata))


def read_weights(file: Path) -> dict[str, Tensor]:
    """Read every tensor of a safetensors file into memory.

    Raises:
        StorageError: it is missing or damaged.
    """
    try:
        return load_file(file)
    except (SafetensorError, OSError) as error:
        raise unreadable(file, error) from None


def read_metadata(file: Path) -> dict[str, str]:
    """Read what was written beside the tensors.

    Raises:
        StorageError: it is missing or damaged.
    """
    try:
        with safe_open(file, framework="pt") as opened:
            return opened.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise unreadable(file, error) from None


def unreadable(file: Path, error: Exception) -> StorageError:
    """The one line a user needs when what the monitor kept cannot be read back."""
    return StorageError(
        f"{file}: what the monitor kept cannot be read back ({error}).\n"
        "  Resume with the monitor's own folder, or measure the saved checkpoints."
    )
