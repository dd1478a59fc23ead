"""safetensors: one file, or several that share the tensors of a model."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from hodograph.checkpoints.checkpoint import Stamp, stamp_of
from hodograph.checkpoints.shards import indexed, require_partners
from hodograph.checkpoints.source import TensorHeader, by_name
from hodograph.errors import CheckpointError

LENGTH_BYTES = 8
MOST_HEADER_BYTES = 32 << 20  # that of a shard with 100 000 tensors is a third of it
INDEX_FILE = "model.safetensors.index.json"


@dataclass(frozen=True)
class SafetensorsFiles:
    """Tensors in safetensors files, memory-mapped."""

    headers: dict[str, TensorHeader]
    files: tuple[Path, ...]
    _last: list[tuple[Path, Stamp, safe_open]] = field(
        default_factory=list, init=False, repr=False, compare=False
    )

    def __reduce__(self) -> tuple[Any, ...]:
        """Other processes map files for themselves."""
        return SafetensorsFiles, (self.headers, self.files)

    def read(self, name: str) -> Tensor:
        """Read one tensor as stored."""
        file = self.headers[name].file
        try:
            return self._mapped(file).get_tensor(name)
        except (SafetensorError, OSError) as error:
            raise CheckpointError(
                f"{file}: tensor {name} cannot be read ({error}).\n"
                "  The file changed or was damaged after it was opened; copy it again."
            ) from error

    def _mapped(self, file: Path) -> safe_open:
        """The map of a file, kept until another is read: neighbours share pages and a header."""
        stamp = stamp_of(file)
        for path, known, opened in self._last:
            if (path, known) == (file, stamp):
                return opened
        opened = safe_open(file, framework="pt")
        self._last[:] = [(file, stamp, opened)]
        return opened


def safetensors_in(folder: Path) -> SafetensorsFiles | None:
    """The safetensors of a folder, or None: the index's shards, `model.safetensors`, or all.

    Raises:
        CheckpointError: a missing shard, or as `open_safetensors`.
    """
    if (folder / INDEX_FILE).exists():
        return open_safetensors(folder, indexed(folder / INDEX_FILE))
    files = sorted(folder.glob("*.safetensors"))
    if folder / "model.safetensors" in files:
        files = [folder / "model.safetensors"]
    require_partners(files)
    return open_safetensors(folder, files) if files else None


def open_safetensors(place: Path, files: Sequence[Path]) -> SafetensorsFiles:
    """Open safetensors files from their headers alone.

    Args:
        place: what the user named.
        files: the files there.

    Raises:
        CheckpointError: a truncated, corrupt or unreadable file, no tensors, or one in two files.
    """
    headers = [header for file in files for header in read_headers(file)]
    return SafetensorsFiles(by_name(headers, place), tuple(files))


def read_headers(file: Path) -> list[TensorHeader]:
    """List the tensors of one safetensors file.

    Raises:
        CheckpointError: a truncated, corrupt or unreadable file, or one without tensors.
    """
    try:
        _refuse_odd(file)
        with safe_open(file, framework="pt") as opened:
            headers = [_header(opened, name, file) for name in opened.keys()]  # noqa: SIM118 (not iterable)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{file}: not a whole safetensors file ({error}).\n"
            "  It is truncated or corrupt; copy or download it again."
        ) from error
    if not headers:
        raise CheckpointError(f"{file}: holds no tensors.")
    return headers


def _refuse_odd(file: Path) -> None:
    """Refuse what safetensors would wait for, or take gigabytes to parse."""
    if not file.is_file():
        raise OSError("not a regular file")
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(LENGTH_BYTES), "little")
    if length > MOST_HEADER_BYTES:
        raise OSError(f"its header would be {length} bytes long")


def _header(opened: safe_open, name: str, file: Path) -> TensorHeader:
    piece = opened.get_slice(name)
    return TensorHeader(name, piece.get_dtype(), tuple(piece.get_shape()), file)
