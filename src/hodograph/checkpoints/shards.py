"""The index of a sharded Hugging Face checkpoint, and the JSON files beside weights."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hodograph.documents import UnreadableError, read_object
from hodograph.errors import CheckpointError

SHARD = re.compile(r"(.+-)(\d{5,})-of-(\d{5,})(\.[a-z]+)")  # as Hugging Face names them


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


def require_partners(files: Sequence[Path]) -> None:
    """Refuse shards of which some are not there: without an index, their names tell how many.

    Args:
        files: of one folder; those that are not named as shards are let through.

    Raises:
        CheckpointError: one of `model-00001-of-00002...` without the others.
    """
    present = {file.name for file in files}
    for file in files:
        if match := SHARD.fullmatch(file.name):
            missing = _missing(match, present)
            if missing:
                raise CheckpointError(
                    f"{file.parent}: holds {file.name} without {missing}, and no index: it is"
                    " incomplete.\n  Measure it once its trainer has written all of it, or finish"
                    " the download."
                )


def _missing(shard: re.Match[str], present: set[str]) -> str | None:
    """The first partner of a shard that is not among the files present."""
    stem, number, count, suffix = shard.groups()
    for index in range(1, int(count) + 1):
        name = f"{stem}{index:0{len(number)}}-of-{count}{suffix}"
        if name not in present:
            return name
    return None


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
