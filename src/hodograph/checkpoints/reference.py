"""From the path a user names to an opened checkpoint, or one clear reason why not."""

import json
from pathlib import Path
from typing import Any

from hodograph.checkpoints.checkpoint import STEP_FILE, Checkpoint, TensorHeader
from hodograph.checkpoints.headers import read_headers
from hodograph.errors import CheckpointError

INDEX_FILE = "model.safetensors.index.json"
PICKLE_SUFFIXES = {".bin", ".pt", ".pth", ".ckpt", ".pkl"}
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
    path = Path(path)
    if not path.exists():
        raise CheckpointError(
            f"{path}: no such file or folder.\n"
            "  Name a folder with safetensors files, or one .safetensors file."
        )
    files = _files(path)
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
    _refuse_quantised(path, headers, config)
    return Checkpoint(path, dict(sorted(headers.items())), config, _json(folder / STEP_FILE))


def _files(path: Path) -> list[Path]:
    if path.is_file():
        if path.suffix == ".safetensors":
            return [path]
        raise CheckpointError(f"{path}: {_way_on([path])}")
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
    files = [index.parent / name for name in sorted(set(weight_map.values()))]
    missing = [file.name for file in files if not file.exists()]
    if missing:
        raise CheckpointError(
            f"{index.parent}: {len(missing)} of {len(files)} shards named in {index.name} are"
            f" missing: {', '.join(missing[:5])}.\n  Finish the download, or copy them there."
        )
    return files


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
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: not readable as JSON ({error}).") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path}: a JSON object was expected.")
    return content


def _refuse_quantised(path: Path, headers: dict[str, TensorHeader], config: dict[str, Any]) -> None:
    method = (config.get("quantization_config") or {}).get("quant_method")
    low = [h.name for h in headers.values() if h.dtype in QUANTISED_DTYPES]
    packed = [name for name in headers if name.rsplit(".", 1)[-1] in QUANTISED_NAMES]
    if method or low or packed:
        what = f"quantised with {method}" if method else f"quantised ({(low or packed)[0]})"
        raise CheckpointError(
            f"{path}: {what}; its entries are codes, not weights.\n"
            "  Dequantise it (transformers: model.dequantize(), then drop quantization_config and"
            " save_pretrained), or measure the checkpoint it was made from."
        )
