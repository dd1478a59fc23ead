"""From the path a user names to an opened checkpoint, or one clear reason why not."""

from pathlib import Path
from typing import Any

from hodograph.checkpoints.checkpoint import STEP_FILE, Checkpoint, TensorHeader, stamp_of
from hodograph.checkpoints.headers import read_headers
from hodograph.documents import UnreadableError, read_object
from hodograph.errors import CheckpointError

INDEX_FILE = "model.safetensors.index.json"
PICKLE_SUFFIXES = {".bin", ".pt", ".pth", ".ckpt", ".pkl"}
MOST_STEP = 10**15
QUANTISED_DTYPES = {"F8_E4M3", "F8_E5M2", "F8_E8M0", "F4", "F6_E2M3", "F6_E3M2"}
QUANTISED_NAMES = ("qweight", "qzeros", "weight_scale", "weight_scale_inv", "absmax", "quant_map")


def open_checkpoint(path: str | Path) -> Checkpoint:
    """Open a safetensors file, or a folder with one or several, from headers alone.

    Args:
        path: `model.safetensors`, or a Hugging Face folder (single or sharded).

    Raises:
        CheckpointError: nothing there, no safetensors, a damaged file, a missing shard, pickle
            or GGUF files only, or quantised weights.
    """
    checkpoint = stored_checkpoint(path)
    if what := quantisation_of(checkpoint):
        raise CheckpointError(
            f"{path}: {what}; its entries are codes, not weights.\n"
            "  Dequantise it (transformers: model.dequantize(), then drop quantization_config and"
            " save_pretrained), or measure the checkpoint it was made from."
        )
    return checkpoint


def stored_checkpoint(path: str | Path) -> Checkpoint:
    """Open what `open_checkpoint` opens, and quantised weights too, whose entries are codes.

    Raises:
        CheckpointError: as `open_checkpoint`, but for quantised weights.
    """
    path = Path(path)
    try:
        return _stored(path)
    except OSError as error:
        raise CheckpointError(
            f"{error.filename or path}: cannot be read ({error.strerror}).\n"
            "  Check the name and its permissions."
        ) from error


def _stored(path: Path) -> Checkpoint:
    if not path.exists():
        raise CheckpointError(
            f"{path}: no such file or folder.\n"
            "  Name a folder with safetensors files, or one .safetensors file."
        )
    files = _files(path)
    stamps = {file: stamp_of(file) for file in files}
    folder = path if path.is_dir() else path.parent
    config = _json(folder / "config.json")
    headers: dict[str, TensorHeader] = {}
    for file in files:
        for header in read_headers(file):
            if header.name in headers:
                raise CheckpointError(
                    f"{path}: tensor {header.name} is in {headers[header.name].file.name} and in"
                    f" {file.name}.\n  Remove the stale file, or name the right one."
                )
            headers[header.name] = header
    training = _training(folder / STEP_FILE)
    return Checkpoint(path, dict(sorted(headers.items())), config, training, stamps)


def _files(path: Path) -> list[Path]:
    if path.is_file():
        if path.suffix == ".safetensors":
            return [path]
        raise CheckpointError(f"{path}: {_way_on([path])}")
    if not path.is_dir():
        raise CheckpointError(
            f"{path}: neither a file nor a folder but a pipe, socket or device.\n"
            "  Name a folder with safetensors files, or one .safetensors file."
        )
    index = path / INDEX_FILE
    if index.exists():
        return _indexed(index)
    files = sorted(path.glob("*.safetensors"))
    if len(files) > 1 and any(file.name == "model.safetensors" for file in files):
        files = [path / "model.safetensors"]
    if files:
        return files
    present = sorted(child for child in path.iterdir() if not child.name.startswith("."))
    if not present:
        raise CheckpointError(f"{path}: the folder is empty; a checkpoint was expected there.")
    raise CheckpointError(f"{path}: {_way_on(present)}")


def _indexed(index: Path) -> list[Path]:
    weight_map = _json(index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointError(f"{index}: holds no weight_map; download the index again.")
    outside = [name for name in weight_map.values() if not _is_plain(name)]
    if outside:
        raise CheckpointError(
            f"{index}: names a shard {outside[0]!r}, which is no file name in this folder.\n"
            "  Download the index again, from a source you trust."
        )
    files = [index.parent / name for name in sorted(set(weight_map.values()))]
    missing = [file.name for file in files if not file.exists()]
    if missing:
        raise CheckpointError(
            f"{index.parent}: {len(missing)} of {len(files)} shards named in {index.name} are"
            f" missing: {', '.join(missing[:5])}.\n  Finish the download, or copy them there."
        )
    return files


def _is_plain(name: object) -> bool:
    """Whether a shard's name stays in its folder."""
    return isinstance(name, str) and name not in ("", ".", "..") and Path(name).name == name


def _training(path: Path) -> dict[str, Any]:
    """What a checkpoint records of its training; numbers where numbers are meant."""
    recorded = _json(path)
    for key in ("step", "learning_rate_sum", "weight_decay_sum", "skipped_steps"):
        value = recorded.get(key, 0)
        kinds = int if key in ("step", "skipped_steps") else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds) or not 0 <= value <= MOST_STEP:
            raise CheckpointError(f"{path}: {key} is not a number that training records.")
    return recorded


def _way_on(present: list[Path]) -> str:
    suffixes = {child.suffix for child in present}
    if ".gguf" in suffixes:
        return (
            "GGUF weights are quantised and cannot be compared entry by entry.\n"
            "  Measure the safetensors they were made from, or dequantise them with transformers"
            " (gguf_file=...) and save_pretrained."
        )
    if suffixes & PICKLE_SUFFIXES:
        return (
            "only pickle files, which can run code when they are opened.\n"
            "  Convert them once: load with transformers and save_pretrained"
            " (safe_serialization=True), then measure that folder."
        )
    if any(child.name == "checkpoints" for child in present):
        return (
            "this is a run folder, not a checkpoint.\n"
            "  Name the checkpoints in it: checkpoints/step_0 checkpoints/step_..."
        )
    if any(child.name == "adapter_config.json" for child in present):
        return "this is a PEFT adapter.\n  Merge it into its base and save that first."
    names = ", ".join(child.name for child in present[:5])
    return f"not a checkpoint (found {names}).\n  Name a folder with safetensors files."


def _json(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        return read_object(path)
    except UnreadableError as error:
        raise CheckpointError(f"{path}: {error}.\n  Copy or download it again.") from error


def quantisation_of(checkpoint: Checkpoint) -> str | None:
    """How a checkpoint is quantised, in words; None where its entries are weights."""
    declared = checkpoint.config.get("quantization_config")
    method = declared.get("quant_method") if isinstance(declared, dict) else None
    if method:
        return f"quantised with {method}"
    headers = checkpoint.headers.values()
    low = [header.name for header in headers if header.dtype in QUANTISED_DTYPES]
    packed = [h.name for h in headers if h.name.rsplit(".", 1)[-1] in QUANTISED_NAMES]
    return f"quantised ({(low or packed)[0]})" if low or packed else None
