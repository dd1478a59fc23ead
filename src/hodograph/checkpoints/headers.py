"""Headers of a safetensors file: names, dtypes and shapes, without reading a weight."""

from pathlib import Path

from safetensors import SafetensorError, safe_open

from hodograph.checkpoints.checkpoint import TensorHeader
from hodograph.errors import CheckpointError

LENGTH_BYTES = 8
MOST_HEADER_BYTES = 32 << 20  # that of a shard with 100 000 tensors is a third of it


def read_headers(file: Path) -> list[TensorHeader]:
    """List the tensors of one safetensors file.

    Raises:
        CheckpointError: truncated, corrupt or unreadable file, or one without tensors.
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
