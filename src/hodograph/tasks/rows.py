"""Rows of a data set on disk: JSON lines, Parquet, or a folder that `datasets` saved."""

import json
from pathlib import Path
from typing import Any

from hodograph.errors import SettingsError

Row = dict[str, Any]


def read_rows(path: Path, split: str | None) -> list[Row]:
    """Read every row.

    Raises:
        SettingsError: nothing there, another kind of file, a damaged one, no such split, no rows.
    """
    if not path.exists():
        raise SettingsError(f"task.path: {path} does not exist.")
    if path.is_dir():
        rows = _saved(path, split)
    elif split is not None:
        raise SettingsError(f"task.split: {path} is one file and has no splits; leave it out.")
    elif path.suffix == ".jsonl":
        rows = _json_lines(path)
    elif path.suffix == ".parquet":
        rows = _parquet(path)
    else:
        raise SettingsError(
            f"task.path: {path} is neither .jsonl nor .parquet, nor a folder saved by datasets."
        )
    if not rows:
        raise SettingsError(f"task.path: {path} holds no rows.")
    return rows


def _json_lines(path: Path) -> list[Row]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"task.path: {path} cannot be read: {error}.") from None
    rows: list[Row] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise SettingsError(f"{path}, line {number}: not JSON: {error}.") from None
        if not isinstance(row, dict):
            raise SettingsError(f"{path}, line {number}: not an object with fields: {line[:60]}")
        rows.append(row)
    return rows


def _parquet(path: Path) -> list[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(path).to_pylist()
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise SettingsError(f"{path} is not a readable Parquet file: {reason}") from None


def _saved(path: Path, split: str | None) -> list[Row]:
    from datasets import Dataset, load_from_disk

    try:
        loaded = load_from_disk(path)
    except (OSError, ValueError) as error:
        raise SettingsError(f"task.path: {path} cannot be read by datasets: {error}") from None
    if isinstance(loaded, Dataset):
        if split is not None:
            raise SettingsError(f"task.split: {path} has no splits; leave it out.")
        return loaded.to_list()
    if split not in loaded:
        named = "it is not named" if split is None else f"there is no {split!r}"
        known = ", ".join(map(str, loaded))
        raise SettingsError(f"task.split: {named}; {path} has the splits {known}.")
    return loaded[split].to_list()
