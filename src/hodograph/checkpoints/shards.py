"""The index of a sharded Hugging Face checkpoint, and the JSON files beside weights."""

from pathlib import Path
from typing import Any

from hodograph.documents import UnreadableError, read_object
from hodograph.errors import CheckpointError


def indexed(index: Path) -> list[Path]:
    """The shards that an index file names, each once.

    Raises:
        CheckpointError: as `shard_names`, or a shard that is missing.
    """
    names = shard_names(index)
    missing = [name for name in names if not (index.parent / name).exists()]
    if missing:
        raise CheckpointError(
            f"{index.parent}: {len(missing)} of {len(names)} shards named in {index.name} are"
            f" missing: {', '.join(missing[:5])}.\n  Finish the download, or copy them there."
        )
    return [index.parent / name for name in names]


def shard_names(index: Path) -> list[str]:
    """The file names of shards that an index names, each once.

    Raises:
        CheckpointError: no weight_map, or a name that is no file beside the index.
    """
    weight_map = read_json(index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointError(f"{index}: holds no weight_map; download the index again.")
    if outside := [name for name in weight_map.values() if not _is_plain(name)]:
        raise CheckpointError(
            f"{index}: names a shard {outside[0]!r}, which is no file name in this folder.\n"
            "  Download the index again, from a source you trust."
        )
    return sorted(set(weight_map.values()))


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file; empty where there is no file.

    Raises:
        CheckpointError: as `hodograph.documents.read_object`.
    """
    if not path.exists():
        return {}
    try:
        return read_object(path)
    except UnreadableError as error:
        raise CheckpointError(f"{path}: {error}.\n  Copy or download it again.") from error


def _is_plain(name: object) -> bool:
    """Whether a shard's name stays in its folder."""
    return isinstance(name, str) and name not in ("", ".", "..") and Path(name).name == name
