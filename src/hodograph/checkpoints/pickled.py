"""torch.save files, opened without running what they hold and without reading their weights.

A zip archive of one pickle and of raw storages. The pickle is opened by torch's weights-only
unpickler, which builds tensors and plain containers and refuses everything else; the storages are
memory-mapped.
"""

import pickle
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from hodograph.checkpoints.shards import indexed, require_partners
from hodograph.checkpoints.source import TensorHeader, by_name, header_of
from hodograph.errors import CheckpointError

INDEX_FILE = "pytorch_model.bin.index.json"
NOT_WEIGHTS = re.compile(
    r"training_args|optim|scheduler|scaler|rng_state|random_states|dataloader|extra_state|common"
)
SUFFIXES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
WRAPPED = ("state_dict", "model_state_dict", "model", "module")
DAMAGED = (RuntimeError, OSError, EOFError, LookupError, TypeError, ValueError, AttributeError)
OPENED_FILES = 1024  # mapped at a time: more than the ranks of any run that is saved a file a rank


@dataclass(frozen=True)
class StateDicts:
    """State dicts in torch.save files, memory-mapped."""

    headers: dict[str, TensorHeader]
    files: tuple[Path, ...]

    def read(self, name: str) -> Tensor:
        """Read one tensor as stored."""
        header = self.headers[name]
        tensor = state_dict(header.file).get(name)
        if tensor is None or header_of(name, tensor, header.file) != header:
            raise CheckpointError(f"{header.file}: {name} changed after the file was opened.")
        return tensor


def state_dicts_in(folder: Path) -> StateDicts | None:
    """The state dicts of a folder, or None: the index's shards, `pytorch_model*.bin`, or one file.

    Optimizer, scheduler and generator states beside them are no weights and are left alone.

    Raises:
        CheckpointError: a missing shard, several files of which none is the model's, or as
            `open_state_dicts`.
    """
    if (folder / INDEX_FILE).exists():
        return open_state_dicts(folder, indexed(folder / INDEX_FILE))
    if files := sorted(folder.glob("pytorch_model*.bin")):
        require_partners(files)
        return open_state_dicts(folder, files)
    files = sorted(file for file in folder.iterdir() if file.suffix in SUFFIXES)
    files = [file for file in files if not NOT_WEIGHTS.match(file.name)]
    if len(files) > 1:
        names = ", ".join(file.name for file in files[:5])
        raise CheckpointError(f"{folder}: holds {names}.\n  Name the one file to measure.")
    return open_state_dicts(folder, files) if files else None


def open_state_dicts(place: Path, files: Sequence[Path]) -> StateDicts:
    """Open files that hold state dicts: names and tensors, and nothing else.

    Args:
        place: what the user named.
        files: the files there.

    Raises:
        CheckpointError: not a torch.save file of names and tensors, or one that would run code.
    """
    headers = [
        header_of(name, tensor, file) for file in files for name, tensor in state_dict(file).items()
    ]
    return StateDicts(by_name(headers, place), tuple(files))


def state_dict(file: Path) -> dict[str, Tensor]:
    """The tensors of a torch.save file, by name; those of a training checkpoint's model.

    Raises:
        CheckpointError: as `unpickled`, or something else than names and tensors.
    """
    content: Any = unpickled(file)
    if isinstance(content, Mapping):
        wrapped = [key for key in WRAPPED if isinstance(content.get(key), Mapping)]
        content = content[wrapped[0]] if wrapped else content
    if not isinstance(content, Mapping) or not content:
        raise CheckpointError(
            f"{file}: holds a {type(content).__name__}, not a state dict (names and tensors)."
        )
    for name, tensor in content.items():
        if not isinstance(name, str) or type(tensor) not in (Tensor, torch.nn.Parameter):
            raise CheckpointError(
                f"{file}: {name!s:.80} is a {type(tensor).__name__}; a state dict of plain tensors"
                " was expected.\n  Save model.state_dict() alone, or better save_pretrained."
            )
        if tensor.layout != torch.strided or tensor.is_quantized:
            raise CheckpointError(f"{file}: {name} is sparse or quantised, which is not read.")
    return {name: tensor.detach() for name, tensor in content.items()}


def unpickled(file: Path) -> object:
    """What a torch.save file holds, its storages memory-mapped.

    Raises:
        CheckpointError: not a whole file of this kind, or one whose pickle would run code.
    """
    if not file.is_file():
        raise CheckpointError(f"{file}: not a regular file.\n  Copy it again.")
    stat = file.stat()
    return _unpickled(file, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=OPENED_FILES)
def _unpickled(file: Path, size: int, changed: int) -> object:
    """Open a file once for each state of it; nothing is held but its pickle and a mapping."""
    check_archive(file, file)
    try:
        return torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{file}: holds more than tensors, and opening it could run code"
            f" ({_refused(error)}).\n"
            "  Where you trust it, save its tensors alone: torch.save(model.state_dict(), ...), or"
            " better save_pretrained."
        ) from error
    except (
        RuntimeError,
        OSError,
        EOFError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
    ) as error:
        raise CheckpointError(
            f"{file}: cannot be opened as a torch.save file ({first_line(error)}).\n"
            "  It is damaged; copy or download it again."
        ) from error


def check_archive(file: Path, content: Path | BinaryIO) -> None:
    """Refuse archives whose storages cannot be mapped as they lie: torch would read their codes.

    Args:
        file: for the message.
        content: the archive.

    Raises:
        CheckpointError: not a whole zip archive, or a compressed one.
    """
    try:
        with zipfile.ZipFile(content) as archive:
            entries = archive.infolist()
    except OSError as error:
        raise CheckpointError(f"{file}: cannot be opened ({error}).") from error
    except zipfile.BadZipFile as error:
        raise CheckpointError(
            f"{file}: not a whole torch.save file of PyTorch 1.6 or newer (a zip archive).\n"
            "  Copy it again if it is truncated; if it is older, save it again:"
            " torch.save(torch.load(old, weights_only=True), new)."
        ) from error
    packed = [entry.filename for entry in entries if entry.compress_type != zipfile.ZIP_STORED]
    if packed:
        raise CheckpointError(
            f"{file}: {packed[0]} is compressed; torch.save never does that.\n"
            "  Load it with torch and save it again."
        )


def _refused(error: pickle.UnpicklingError) -> str:
    """What the weights-only unpickler refused, in its own words, without its advice to trust."""
    said = str(error).partition("WeightsUnpickler error: ")[2] or str(error)
    return said.split(". ")[0].split("\n")[0][:120]


def first_line(error: BaseException) -> str:
    """The beginning of what a library says of an error."""
    return (str(error) or type(error).__name__).split("\n")[0][:120]
