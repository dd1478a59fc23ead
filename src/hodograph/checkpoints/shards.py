"""The index of a sharded Hugging Face checkpoint, and the JSON files beside weights."""

import json
from pathlib import Path
from typing import Any

from hodograph.errors import CheckpointError


def indexed(index: Path) -> list[Path]:
    """The shards that an index file names, each once.

    Raises:
        CheckpointError: no weight_map, a shard outside the folder, or one that is missing.
    """
    weight_map = read_json(index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointError(f"{index}: holds no weight_map; download the index again.")
    names = sorted({str(name) for name in weight_map.values()})
    if outside := [name for name in names if Path(name).name != name]:
        raise CheckpointError(f"{index}: names {outside[0]!r}, which is no file beside it.")
    missing = [name for name in names if not (index.parent / name).exists()]
    if missing:
        raise CheckpointError(
            f"{index.parent}: {len(missing)} of {len(names)} shards named in {index.name} are"
            f" missing: {', '.join(missing[:5])}.\n  Finish the download, or copy them there."
        )
    return [index.parent / name for name in names]


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file; empty where there is no file.

    Raises:
        CheckpointError: not readable, not JSON, or not an object.
    """
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: not readable as JSON ({error}).") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path}: a JSON object was expected.")
    return content
