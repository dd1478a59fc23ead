"""The folder of one measurement: parts while it runs, one table and one summary at the end."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from hodograph.atomic import write_atomically, write_json
from hodograph.errors import StorageError
from hodograph.tables.columns import BY_NAME, schema

TABLE_FILE, SUMMARY_FILE = "matrices.parquet", "summary.json"
Row = dict[str, Any]


def table_of(rows: list[Row]) -> pa.Table:
    """Rows as a table of the declared schema; a column nobody declared is an error."""
    undeclared = {name for row in rows for name in row} - set(BY_NAME)
    if undeclared:
        raise KeyError(f"columns without a declaration: {sorted(undeclared)}")
    return pa.Table.from_pylist(rows, schema=schema())


def to_frame(table: pa.Table) -> pd.DataFrame:
    """The table as a data frame; integers that may be absent are nullable ones."""
    return table.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)


class MemoryParts:
    """Keeps nothing: a measurement without a folder."""

    def load(self, parameter: str) -> list[Row] | None:
        """No unit was finished before."""
        return None

    def store(self, parameter: str, rows: list[Row]) -> None:
        """Nothing to keep."""


class MeasurementFolder:
    """Parts, table and summary of one measurement, told from any other by its fingerprint."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.folder = folder
        self.fingerprint = fingerprint
        self._parts = folder / f"parts-{fingerprint[:12]}"

    def load(self, parameter: str) -> list[Row] | None:
        """Rows of a unit that was finished before, or None."""
        file = self._file(parameter)
        return pq.read_table(file).to_pylist() if file.exists() else None

    def store(self, parameter: str, rows: list[Row]) -> None:
        """Keep a finished unit as one part file, whole or absent."""
        table = table_of(rows)
        write_atomically(self._file(parameter), lambda file: pq.write_table(table, file))

    def finished(self) -> tuple[pd.DataFrame, dict[str, Any]] | None:
        """Table and summary of this very measurement, if it was finished before."""
        try:
            matrices, summary = read_measurement(self.folder)
        except StorageError:
            return None
        return (matrices, summary) if summary.get("fingerprint") == self.fingerprint else None

    def finish(self, table: pa.Table, summary: dict[str, Any]) -> None:
        """Write the table, then the summary that vouches for it, and drop the parts."""
        (self.folder / SUMMARY_FILE).unlink(missing_ok=True)
        write_atomically(self.folder / TABLE_FILE, lambda file: pq.write_table(table, file))
        write_json(self.folder / SUMMARY_FILE, summary)
        shutil.rmtree(self._parts, ignore_errors=True)

    def _file(self, parameter: str) -> Path:
        name = hashlib.sha256(parameter.encode()).hexdigest()[:24]
        return self._parts / f"{name}.parquet"


def read_measurement(folder: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Table and summary of a finished measurement.

    Raises:
        StorageError: the folder holds none, or its files are damaged.
    """
    summary = folder / SUMMARY_FILE
    if not summary.exists():
        raise StorageError(
            f"{folder}: holds no finished measurement ({SUMMARY_FILE} is missing).\n"
            "  Run the same hodograph measure command again; it goes on where it stopped."
        )
    try:
        return to_frame(pq.read_table(folder / TABLE_FILE)), json.loads(summary.read_text())
    except (OSError, ValueError, pa.ArrowException) as error:
        raise StorageError(f"{folder}: the measurement cannot be read ({error}).") from error
