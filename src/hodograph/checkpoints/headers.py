"""Headers of a safetensors file: names, dtypes and shapes, without reading a weight."""

from pathlib import Path

from safetensors import SafetensorError, safe_open

from hodograph.checkpoints.checkpoint import TensorHeader
from hodograph.errors import CheckpointError


def read_headers(file: Path) -> list[TensorHeader]:
    """List the tensors of one safetensors file.

    Raises:
        CheckpointError: truncated, corrupt or unreadable file, or one without tensors.
    """
    try:
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


def _header(opened: safe_open, name: str, file: Path) -> TensorHeader:
    piece = opened.get_slice(name)
    return TensorHeader(name, piece.get_dtype(), tuple(piece.get_shape()), file)
