"""The folder of one result: parts while it runs, one table and one summary at the end."""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from hodograph.atomic import sweep, write_atomically, write_json
from hodograph.documents import UnreadableError, read_object, require_file
from hodograph.errors import StorageError
from hodograph.exclusive import only_process
from hodograph.tables.columns import COLUMNS, Column, schema
from hodograph.tables.pairs import PAIR_COLUMNS

TABLE_FILE, SUMMARY_FILE = "matrices.parquet", "summary.json"
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

    Another kind of result, a comparison, is kept in the same way under other file names.
    """

    def __init__(self, folder: Path, fingerprint: str, kind: Kind = MATRICES) -> None:
        self.folder = folder
        self.fingerprint = fingerprint
        self.kind = kind
        self._parts = folder / f"parts-{fingerprint[:12]}"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes out, and clear away what a killed one left half-written.

        Raises:
            StorageError: another process works in the folder, or it cannot be written.
        """
        with only_process(self.folder):
            sweep(self.folder)
            sweep(self._parts)
            yield

    def load(self, parameter: str) -> list[Row] | None:
        """Rows of a unit that was finished before, or None.

        Raises:
            StorageError: the part is damaged.
        """
        file = self._file(parameter)
        try:
            return pq.read_table(file).to_pylist() if file.exists() else None
        except (OSError, pa.ArrowException) as error:
            raise StorageError(
                f"{file}: a finished part cannot be read back ({str(error).splitlines()[0]}).\n"
                "  Remove that file, and run the same command again."
            ) from error

    def store(self, parameter: str, rows: list[Row]) -> None:
        """Keep a finished unit as one part file, whole or absent."""
        table = table_of(rows, self.kind.columns)
        write_atomically(self._file(parameter), lambda file: pq.write_table(table, file))

    def beside(self, name: str) -> Path:
        """A folder for what units share; it is dropped with the parts."""
        return self._parts / name

    def finished(self) -> tuple[pd.DataFrame, dict[str, Any]] | None:
        """Table and summary of this very measurement, if it was finished before."""
        try:
            matrices, summary = read_measurement(self.folder, self.kind)
        except StorageError:
            return None
        if summary.get("fingerprint") != self.fingerprint:
            return None
        shutil.rmtree(self._parts, ignore_errors=True)  # killed while these were dropped
        return matrices, summary

    def finish(self, table: pa.Table, summary: dict[str, Any]) -> None:
        """Write the table, then the summary that vouches for it, and drop the parts."""
        whole = self.folder / self.kind.summary_file
        whole.unlink(missing_ok=True)
        write_atomically(
            self.folder / self.kind.table_file, lambda file: pq.write_table(table, file)
        )
        write_json(whole, summary)
        self.drop_parts()

    def drop_parts(self) -> None:
        """Forget the finished units, once a table holds them."""
        shutil.rmtree(self._parts, ignore_errors=True)

    def _file(self, parameter: str) -> Path:
        name = hashlib.sha256(parameter.encode()).hexdigest()[:24]
        return self._parts / f"{name}.parquet"


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
