"""The folder of one result: parts while it runs, one table and one summary at the end."""

import hashlib
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from hodograph.atomic import json_text
from hodograph.documents import UnreadableError, read_object, require_file
from hodograph.errors import StorageError
from hodograph.storage import Store, open_store
from hodograph.tables.columns import COLUMNS, Column, schema
from hodograph.tables.pairs import PAIR_COLUMNS
from hodograph.tables.part import packed, unpacked

TABLE_FILE, SUMMARY_FILE = "matrices.parquet", "summary.json"
PARTS, PLAN_FILE = "parts-", "plan.json"
Row = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """A kind of result: its files, its columns, and the command that makes it."""

    name: str
    command: str
    table_file: str
    summary_file: str
    columns: tuple[Column, ...]


MATRICES = Kind("measurement", "measure", TABLE_FILE, SUMMARY_FILE, COLUMNS)
PAIRS = Kind("comparison", "compare", "pairs.parquet", "compare.json", PAIR_COLUMNS)


def table_of(rows: list[Row], columns: tuple[Column, ...] = COLUMNS) -> pa.Table:
    """Rows as a table of the declared schema; a column nobody declared is an error."""
    undeclared = {name for row in rows for name in row} - {column.name for column in columns}
    if undeclared:
        raise KeyError(f"columns without a declaration: {sorted(undeclared)}")
    return pa.Table.from_pylist(rows, schema=schema(columns))


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
    """Parts, table and summary of one measurement, told from any other by its fingerprint.

    It is a folder, or a URL of an object store. Another kind of result, a comparison, is kept in
    the same way under other file names.
    """

    def __init__(self, place: str | Path, fingerprint: str, kind: Kind = MATRICES) -> None:
        self.fingerprint = fingerprint
        self.kind = kind
        self._store: Store = open_store(place)
        self._parts = parts_name(fingerprint)

    def held(self, share: str | None = None) -> AbstractContextManager[None]:
        """Keep other processes out, and clear away what a killed one left half-written.

        Args:
            share: the part of the work that is done; processes at others may work beside it.

        Raises:
            StorageError: another process works in the folder, or it cannot be written.
        """
        return self._store.held(share)

    def load(self, parameter: str) -> list[Row] | None:
        """Rows of a unit that was finished before, or None.

        Raises:
            StorageError: the part is damaged.
        """
        name = self._part(parameter)
        try:
            content = self._store.read(name)
            return None if content is None else unpacked(content)
        except (OSError, pa.ArrowException) as error:
            raise StorageError(
                f"{self._store.where}/{name}: a finished part cannot be read back"
                f" ({str(error).splitlines()[0]}).\n"
                "  Remove that file, and run the same command again."
            ) from error

    def store(self, parameter: str, rows: list[Row]) -> None:
        """Keep a finished unit as one part file, whole or absent."""
        self._store.write(self._part(parameter), packed(table_of(rows, self.kind.columns)))

    def missing(self, parameters: list[str]) -> list[str]:
        """Those of the units that are not finished."""
        present = self._store.names(self._parts)
        return [name for name in parameters if self._part(name).rpartition("/")[2] not in present]

    def beside(self, name: str) -> Path:
        """A folder for what units share; it is dropped with the parts.

        Raises:
            SettingsError: the measurement is kept in an object store.
        """
        return self._store.path(f"{self._parts}/{name}")

    def describe(self, description: dict[str, Any]) -> None:
        """Keep with the parts what they are parts of."""
        self._store.write(f"{self._parts}/{PLAN_FILE}", json_text(description).encode())

    def finished(self) -> tuple[pd.DataFrame, dict[str, Any]] | None:
        """Table and summary of this very measurement, if it was finished before."""
        kind = self.kind
        try:
            with self._store.copy((kind.table_file, kind.summary_file)) as folder:
                matrices, summary = read_measurement(folder, kind)
        except StorageError:
            return None
        if summary.get("fingerprint") != self.fingerprint:
            return None
        self.drop_parts()  # killed while these were dropped
        return matrices, summary

    def finish(self, table: pa.Table, summary: dict[str, Any]) -> None:
        """Write the table, then the summary that vouches for it, and drop the parts."""
        self._store.remove(self.kind.summary_file)
        self._store.write(self.kind.table_file, parquet(table))
        self._store.write(self.kind.summary_file, json_text(summary).encode())
        self.drop_parts()

    def drop_parts(self) -> None:
        """Forget the finished units, once a table holds them."""
        self._store.remove(self._parts)

    def _part(self, parameter: str) -> str:
        return f"{self._parts}/{hashlib.sha256(parameter.encode()).hexdigest()[:24]}.arrow"


def parquet(table: pa.Table) -> bytes:
    """A table as the bytes of a Parquet file."""
    buffer = BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def parts_name(fingerprint: str) -> str:
    """Folder of a measurement's parts."""
    return f"{PARTS}{fingerprint[:12]}"


def held(folder: MeasurementFolder | None) -> AbstractContextManager[None]:
    """Keep other processes out of a result's folder; nothing to do for a result without one."""
    return nullcontext() if folder is None else folder.held()


def read_measurement(folder: Path, kind: Kind = MATRICES) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Table and summary of a finished measurement.

    Raises:
        StorageError: the folder holds none, or its files are damaged.
    """
    summary = folder / kind.summary_file
    if not summary.exists():
        raise StorageError(
            f"{folder}: holds no finished {kind.name} ({kind.summary_file} is missing).\n"
            f"  Run the same hodograph {kind.command} command again; it goes on where it stopped."
        )
    try:
        require_file(folder / kind.table_file)
        table = to_frame(pq.read_table(folder / kind.table_file))
        return table, read_object(summary)
    except (OSError, ValueError, pa.ArrowException, UnreadableError) as error:
        raise StorageError(f"{folder}: the {kind.name} cannot be read ({error}).") from error
