"""torch.distributed.checkpoint folders (DCP), read without a process group, one tensor at a time.

`.metadata` is a pickle of what lies where; it is opened by an unpickler that builds those records
and nothing else. A tensor is the union of its chunks, each a small torch.save file inside a
`.distcp` file.
"""

import io
import pickle
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from torch import Tensor
from torch.distributed.checkpoint.filesystem import _StorageInfo
from torch.distributed.checkpoint.metadata import Metadata, TensorStorageMetadata

from hodograph.checkpoints.pickled import DAMAGED, check_archive, first_line
from hodograph.checkpoints.source import DTYPE_NAMES, TensorHeader, by_name
from hodograph.errors import CheckpointError

METADATA_FILE = ".metadata"
OPTIMIZER = re.compile(r"^(?:optimi[sz]ers?|optim|opt|lr_schedulers?|scheduler|rng_state)\b")
RECORDS = (
    "Metadata", "TensorStorageMetadata", "BytesStorageMetadata", "ChunkStorageMetadata",
    "TensorProperties", "MetadataIndex", "StorageMeta", "_MEM_FORMAT_ENCODING",
)  # fmt: skip
ALLOWED = {
    *(("torch.distributed.checkpoint.metadata", name) for name in RECORDS),
    ("torch.distributed.checkpoint.filesystem", "_StorageInfo"),
    ("torch", "Size"),
    ("torch.serialization", "_get_layout"),
    ("collections", "OrderedDict"),
    ("builtins", "set"),
}


@dataclass(frozen=True)
class Chunk:
    """One rectangle of a tensor: where it lies in the tensor, and in which file."""

    offsets: tuple[int, ...]
    sizes: tuple[int, ...]
    file: Path
    start: int
    length: int

    @property
    def place(self) -> tuple[slice, ...]:
        """Its place in the tensor."""
        spans = zip(self.offsets, self.sizes, strict=True)
        return tuple(slice(start, start + size) for start, size in spans)


@dataclass(frozen=True)
class DistributedFolder:
    """Tensors of a DCP folder, each in chunks."""

    headers: dict[str, TensorHeader]
    files: tuple[Path, ...]
    chunks: dict[str, tuple[Chunk, ...]]

    def read(self, name: str) -> Tensor:
        """Assemble one tensor from its chunks."""
        header = self.headers[name]
        dtype = next(dtype for dtype, known in DTYPE_NAMES.items() if known == header.dtype)
        whole, filled = torch.empty(header.shape, dtype=dtype), torch.zeros(header.shape).bool()
        for chunk in self.chunks[name]:
            whole[chunk.place], filled[chunk.place] = _read_chunk(chunk, name, dtype), True
        if not bool(filled.all()):
            raise CheckpointError(f"{header.file}: the chunks of {name} overlap and leave gaps.")
        return whole


def open_distributed(folder: Path) -> DistributedFolder:
    """Open a DCP folder from its metadata alone; optimizer and scheduler state is left alone.

    Raises:
        CheckpointError: metadata that is damaged or asks for more than records, a chunk outside
            its tensor or in a missing file, or no model.
    """
    metadata, place = _metadata(folder / METADATA_FILE), folder / METADATA_FILE
    try:
        stored = _by_position(metadata)
        tensors = {
            str(name): entry
            for name, entry in metadata.state_dict_metadata.items()
            if isinstance(entry, TensorStorageMetadata) and not OPTIMIZER.match(str(name))
        }
        headers = [_header(name, entry, place) for name, entry in tensors.items()]
        chunks = {name: _chunks(folder, name, entry, stored) for name, entry in tensors.items()}
    except (AttributeError, TypeError, ValueError, LookupError) as error:
        raise CheckpointError(f"{place}: not the metadata of a checkpoint ({error!r}).") from error
    files = {chunk.file for parts in chunks.values() for chunk in parts}
    if missing := sorted(file.name for file in files if not file.is_file()):
        raise CheckpointError(
            f"{folder}: {len(missing)} of {len(files)} files are missing:"
            f" {', '.join(missing[:5])}.\n  Copy the files of every rank into one folder."
        )
    return DistributedFolder(by_name(headers, folder), (place, *sorted(files)), chunks)


def _header(name: str, entry: TensorStorageMetadata, place: Path) -> TensorHeader:
    dtype = DTYPE_NAMES.get(entry.properties.dtype)
    if dtype is None:
        raise CheckpointError(f"{place}: {name} is stored in a dtype that is not read.")
    return TensorHeader(name, dtype, tuple(entry.size), place)


def _by_position(metadata: Metadata) -> dict[tuple[str, tuple[int, ...]], _StorageInfo]:
    """Where the chunk of a tensor at an offset is stored."""
    return {
        (index.fqn, tuple(index.offset)): info
        for index, info in metadata.storage_data.items()
        if index.offset is not None
    }


def _chunks(
    folder: Path,
    name: str,
    entry: TensorStorageMetadata,
    stored: dict[tuple[str, tuple[int, ...]], _StorageInfo],
) -> tuple[Chunk, ...]:
    """The chunks of a tensor, inside it and together as large as it is."""
    found = []
    for part in entry.chunks:
        offsets, sizes = tuple(part.offsets), tuple(part.sizes)
        ends = [offset + size for offset, size in zip(offsets, sizes, strict=True)]
        if min((*offsets, *sizes), default=0) < 0 or any(
            end > size for end, size in zip(ends, entry.size, strict=True)
        ):
            raise CheckpointError(f"{folder}: a chunk of {name} lies outside the tensor.")
        info = stored[name, offsets]
        if info.transform_descriptors:
            raise CheckpointError(
                f"{folder}: {name} is stored {' and '.join(info.transform_descriptors)}, which is"
                " not read.\n  Save again without storage extensions."
            )
        file = _inside(folder, info.relative_path)
        found.append(Chunk(offsets, sizes, file, info.offset, info.length))
    if sum(torch.Size(chunk.sizes).numel() for chunk in found) != entry.size.numel():
        raise CheckpointError(f"{folder}: the chunks of {name} do not make up the whole tensor.")
    return tuple(found)


def _inside(folder: Path, relative: str) -> Path:
    """A file of the folder.

    Raises:
        CheckpointError: the name leads out of it.
    """
    path = PurePosixPath(relative)
    if path.is_absolute() or ".." in path.parts:
        raise CheckpointError(f"{folder}: {METADATA_FILE} names {relative!r}, outside the folder.")
    return folder / path


def _read_chunk(chunk: Chunk, name: str, dtype: torch.dtype) -> Tensor:
    try:
        with chunk.file.open("rb") as file:
            file.seek(chunk.start)
            content = io.BytesIO(file.read(chunk.length))
        check_archive(chunk.file, content)
        content.seek(0)
        part = torch.load(content, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, *DAMAGED) as error:
        raise CheckpointError(
            f"{chunk.file}: a chunk of {name} cannot be read ({first_line(error)}).\n"
            "  The file is truncated or damaged; copy it again."
        ) from error
    if not isinstance(part, Tensor) or tuple(part.shape) != chunk.sizes or part.dtype != dtype:
        raise CheckpointError(
            f"{chunk.file}: a chunk of {name} is not what {METADATA_FILE} says.\n"
            "  The files are of two saves; copy the folder again."
        )
    return part


def _metadata(file: Path) -> Metadata:
    try:
        found = _Records(io.BytesIO(file.read_bytes())).load()
    except (pickle.UnpicklingError, RecursionError, MemoryError, *DAMAGED) as error:
        raise CheckpointError(
            f"{file}: cannot be opened as the metadata of torch.distributed.checkpoint"
            f" ({first_line(error)}).\n  It is damaged, or of another kind; copy it again."
        ) from error
    if not isinstance(found, Metadata):
        raise CheckpointError(f"{file}: holds a {type(found).__name__}, not DCP metadata.")
    return found


class _Records(pickle.Unpickler):
    """Builds the records of DCP's metadata and nothing else, so that no code is run."""

    def find_class(self, module: str, name: str) -> Any:
        """The class or function of this name where it is one of DCP's records."""
        if module.partition(".")[0] == "pathlib":
            return PurePosixPath
        dtype = getattr(torch, name, None) if module == "torch" else None
        if (module, name) in ALLOWED or isinstance(dtype, torch.dtype):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is no record of a checkpoint")
