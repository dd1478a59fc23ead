"""From the path a user names to an opened checkpoint, or one clear reason why not."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from hodograph.checkpoints.adapter import CONFIG_FILE, adapter_in, open_adapter
from hodograph.checkpoints.checkpoint import STEP_FILE, Checkpoint, stamp_of
from hodograph.checkpoints.dequantised import declares_fp8, dequantised
from hodograph.checkpoints.experts import unstacked
from hodograph.checkpoints.names import HubName, hub_name
from hodograph.checkpoints.pickled import SUFFIXES, open_state_dicts, state_dicts_in
from hodograph.checkpoints.refusal import MEGATRON, UNMERGED, way_on
from hodograph.checkpoints.safetensors_files import open_safetensors, safetensors_in
from hodograph.checkpoints.shards import read_json
from hodograph.checkpoints.source import FP8, Factored, Source
from hodograph.errors import CheckpointError

MOST_STEP = 10**15
QUANTISED_DTYPES = {"F8_E4M3", "F8_E5M2", "F8_E8M0", "F4", "F6_E2M3", "F6_E3M2"}
QUANTISED_NAMES = ("qweight", "qzeros", "weight_scale", "weight_scale_inv", "absmax", "quant_map")
PARTS = ("actor", "pytorch_model_fsdp_0")  # where verl and accelerate put the model of a step


def _distributed_in(folder: Path) -> Source | None:
    if not (folder / ".metadata").exists():
        return None
    if (folder / "common.pt").exists() or "sharded_backend" in read_json(folder / "metadata.json"):
        raise CheckpointError(f"{folder}: {MEGATRON}")
    from hodograph.checkpoints.distributed import open_distributed  # slow to import

    return open_distributed(folder)


def _rank_files_in(folder: Path) -> Source | None:
    files = sorted(folder.glob("model_world_size_*_rank_*.pt"))
    if not files:
        return None
    from hodograph.checkpoints.ranks import open_rank_files  # slow to import

    return open_rank_files(folder, files)


FORMATS: tuple[Callable[[Path], Source | None], ...] = (
    safetensors_in, _distributed_in, _rank_files_in, state_dicts_in,
)  # fmt: skip


def open_checkpoint(
    path: str | Path, base: Checkpoint | None = None, *, dequantise: bool = False
) -> Checkpoint:
    """Open weights from their headers alone.

    Args:
        path: a file or folder of one of the formats that docs/formats.md lists, or
            `hf://org/name@revision`.
        base: what an adapter changes, opened likewise; needed for adapters only.
        dequantise: read FP8 weights as codes times scales, where they are FP8.

    Raises:
        CheckpointError: nothing there, no weights that are read, a damaged file, a missing shard,
            quantised weights, or FP8 ones whose scales are missing or do not fit.
    """
    checkpoint = stored_checkpoint(path, base)
    adapted = dequantise and isinstance(checkpoint.source, Factored)  # its base is dequantised
    if not adapted and (what := quantisation_of(checkpoint)):
        if not (dequantise and declares_fp8(checkpoint.config)):
            raise CheckpointError(f"{path}: {what}; {_codes_way_on(checkpoint)}")
        checkpoint = dequantised(checkpoint)
        if left := _codes_in(checkpoint, QUANTISED_DTYPES - set(FP8)):
            raise CheckpointError(f"{path}: {left[0]} is not FP8; {_codes_way_on(checkpoint)}")
    if unmerged := [name for name in checkpoint.headers if ".lora_" in name]:
        raise CheckpointError(f"{path}: {UNMERGED.format(name=unmerged[0])}")
    return checkpoint


def stored_checkpoint(path: str | Path, base: Checkpoint | None = None) -> Checkpoint:
    """Open what `open_checkpoint` opens, and quantised weights too, whose entries are codes.

    Raises:
        CheckpointError: as `open_checkpoint`, but for quantised weights.
    """
    name, path = hub_name(str(path)), Path(path)
    try:
        return _stored(path, base) if name is None else _from_hub(name, base)
    except OSError as error:
        raise CheckpointError(
            f"{error.filename or path}: cannot be read ({error.strerror}).\n"
            "  Check the name and its permissions."
        ) from error


def _stored(path: Path, base: Checkpoint | None) -> Checkpoint:
    if not path.exists():
        raise CheckpointError(
            f"{path}: no such file or folder.\n"
            "  Name a folder with safetensors files, or one .safetensors file."
        )
    if file := adapter_in(path):
        return _adapted(path, file, base)
    if not path.is_file() and not path.is_dir():
        raise CheckpointError(
            f"{path}: neither a file nor a folder but a pipe, socket or device.\n"
            "  Name a folder with safetensors files, or one .safetensors file."
        )
    folder = _part_of(path) if path.is_dir() else path.parent
    source = _in_folder(folder) if path.is_dir() else _in_file(path)
    config = _config(folder)
    return _checkpoint(path, unstacked(source, config), config, folder)


def _from_hub(name: HubName, base: Checkpoint | None) -> Checkpoint:
    try:
        from hodograph.checkpoints.hub import fetch
    except ImportError as error:
        raise CheckpointError(
            f"{name}: reading from the hub needs the extra hub.\n  pip install 'hodograph[hub]'"
        ) from error
    pinned, folder, source = fetch(name)
    if source is None:
        return replace(_stored(folder, base), hub=pinned)
    config = read_json(folder / "config.json")
    return replace(_checkpoint(folder, unstacked(source, config), config, folder), hub=pinned)


def _checkpoint(path: Path, source: Source, config: dict[str, Any], folder: Path) -> Checkpoint:
    stamps = {file: stamp_of(file) for file in source.files if file.exists()}
    return Checkpoint(path, source, config, _training(folder / STEP_FILE), stamps)


def _training(path: Path) -> dict[str, Any]:
    """What a checkpoint records of its training; numbers where numbers are meant."""
    recorded = read_json(path)
    for key in ("step", "learning_rate_sum", "weight_decay_sum", "skipped_steps"):
        value = recorded.get(key, 0)
        kinds = int if key in ("step", "skipped_steps") else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds) or not 0 <= value <= MOST_STEP:
            raise CheckpointError(f"{path}: {key} is not a number that training records.")
    return recorded


def _adapted(folder: Path, file: Path, base: Checkpoint | None) -> Checkpoint:
    if base is None:
        named = read_json(folder / CONFIG_FILE).get("base_model_name_or_path")
        raise CheckpointError(
            f"{folder}: a PEFT adapter, which is read against the model it changes ({named}).\n"
            "  Name that model first: hodograph measure BASE ADAPTER"
        )
    source = open_adapter(folder, file, base)
    return _checkpoint(folder, source, base.config, folder)


def _part_of(folder: Path) -> Path:
    """The folder itself, or the one part of a training step in it that is the model."""
    parts = [folder / name for name in PARTS if (folder / name).is_dir()]
    alone = not any(folder.glob("*.safetensors")) and not any(folder.glob("*.bin"))
    return parts[0] if parts and alone else folder


def _config(folder: Path) -> dict[str, Any]:
    """config.json beside the weights, where verl keeps it, or above a part of a step."""
    places = [folder, folder / "huggingface", *([folder.parent] if folder.name in PARTS else [])]
    found = [place / "config.json" for place in places if (place / "config.json").exists()]
    return read_json(found[0]) if found else {}


def _in_file(file: Path) -> Source:
    if file.suffix == ".safetensors":
        return open_safetensors(file, [file])
    if file.suffix in SUFFIXES:
        return open_state_dicts(file, [file])
    raise CheckpointError(f"{file}: {way_on([file])}")


def _in_folder(folder: Path) -> Source:
    for found_in in FORMATS:
        if (source := found_in(folder)) is not None:
            return source
    present = sorted(child for child in folder.iterdir() if not child.name.startswith("."))
    if not present:
        raise CheckpointError(f"{folder}: the folder is empty; a checkpoint was expected there.")
    raise CheckpointError(f"{folder}: {way_on(present)}")


def quantisation_of(checkpoint: Checkpoint) -> str | None:
    """How a checkpoint is quantised, in words; None where its entries are weights."""
    declared = checkpoint.config.get("quantization_config")
    method = declared.get("quant_method") if isinstance(declared, dict) else None
    if method:
        return f"quantised with {method}"
    codes = _codes_in(checkpoint, QUANTISED_DTYPES)
    return f"quantised ({codes[0]})" if codes else None


def _codes_in(checkpoint: Checkpoint, dtypes: set[str]) -> list[str]:
    """Names of the tensors that are codes by their dtype, then of those that are by their name."""
    headers = checkpoint.headers.values()
    low = [header.name for header in headers if header.dtype in dtypes]
    return low + [h.name for h in headers if h.name.rsplit(".", 1)[-1] in QUANTISED_NAMES]


def _codes_way_on(checkpoint: Checkpoint) -> str:
    """Why codes are not measured, and what to do; of FP8 also how it can be read."""
    way = "its entries are codes, not weights.\n"
    if declares_fp8(checkpoint.config):
        way += "  --dequantise reads FP8 with its scales (measure, compare, diff). Else:\n"
    elif any(header.dtype in FP8 for header in checkpoint.headers.values()):
        way += (
            "  --dequantise reads FP8 with its scales where config.json beside the weights says so"
            " (quant_method fp8, fbgemm_fp8, or compressed-tensors with 8-bit floats). Else:\n"
        )
    return way + (
        "  Dequantise it (transformers: model.dequantize(), then drop quantization_config and"
        " save_pretrained), or measure the checkpoint it was made from."
    )
