"""Read what a page is made from: `matrices.parquet`, `summary.json` and `study.json`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from hodograph.documents import UnreadableError, read_json, require_file
from hodograph.errors import StorageError
from hodograph.printable import printable
from hodograph.report.names import NEEDED_COLUMNS
from hodograph.tables.store import SUMMARY_FILE, TABLE_FILE


def _nan_to_none(value: object) -> object:
    return None if isinstance(value, float) and value != value else value


Number = Annotated[float | None, BeforeValidator(_nan_to_none)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Statistic(_Record):
    """One metric over the matrices of one checkpoint; `n` is 0 where no matrix has a value."""

    mean: Number = None
    median: Number = None
    low: Number = None
    high: Number = None
    n: int = 0
    weighted: Number = None


class Checkpoint(_Record):
    """The summary of one checkpoint as one storage sees it."""

    step: int
    path: str
    storage: str
    matrices: int
    metrics: dict[str, Statistic]

    def statistic(self, metric: str) -> Statistic:
        """Return the statistic of a metric, empty where the summary has none."""
        return self.metrics.get(metric, Statistic())


class Base(_Record):
    """The weights every update is taken from."""

    path: str
    digest: str
    dtype: str


class Skipped(_Record):
    """A stored tensor that was not measured, and why."""

    parameter: str
    reason: str


class Explained(_Record):
    """In how many of the locked matrices the inputs explain the lock, and mean captures."""

    explained: int
    locked: int
    low: Number = None
    high: Number = None
    early: Number = None
    random: Number = None
    null: Number = None


class Lock(_Record):
    """The lock's verdict in one storage; `matrices` counts them by standing."""

    verdict: str
    reason: str
    share: Number = None
    low: Number = None
    high: Number = None
    matrices: dict[str, int]
    step: Number = None
    stable_rank_band: Number = None
    inputs: Explained | None = None
    thresholds: dict[str, float]


class Factored(_Record):
    """Rows with a spectrum, by method, and those of them whose certificate exceeds its target."""

    rows: int
    methods: dict[str, int]
    uncertified: int


class Inputs(_Record):
    """What the layers were shown."""

    source: str
    kind: str
    texts: int
    cut: int
    tokens: int
    draws: int


class Summary(_Record):
    """`summary.json` of a measurement."""

    hodograph: str
    scope: str
    base: Base
    checkpoints: list[Checkpoint]
    lock: dict[str, Lock]
    inputs: Inputs | None = None
    factored: Factored
    matrices: int
    parameters: int
    skipped: list[Skipped]
    warnings: list[str]
    settings: dict[str, Any]
    versions: dict[str, Any]


class Accuracy(_Record):
    """Accuracies of one run, as shares; any may be missing."""

    start: Number = None
    end: Number = None
    standard_error: Number = None
    greedy_start: Number = None
    greedy_end: Number = None


class Run(_Record):
    """One trained model of a study: a stage the arms build on, or an arm."""

    name: str
    role: Literal["stage", "arm"]
    seed: int
    objective: str
    student: str | None = None
    teacher: str | None = None
    task: str | None = None
    steps: int | None = None
    learning_rate: Number = None
    learning_rate_sum: Number = None
    w0_digest: str | None = None
    accuracy: Accuracy = Accuracy()
    folder: str
    measurement: str | None = None
    gates: str | None = None


class Comparison(_Record):
    """A few arms to be read beside each other, and what is shown of them."""

    name: str
    title: str
    arms: tuple[str, ...]
    shows: tuple[str, ...] = ()


class Question(_Record):
    """One section of the page; see hodograph.studies.questions."""

    name: str
    title: str
    claims: tuple[str, ...] = ()
    values: tuple[str, ...]
    comparisons: tuple[Comparison, ...]


class Study(_Record):
    """`study.json`: arms and seeds, what they cost and reached, and the runs that failed.

    `command` wrote it and `redraw` draws its page again.
    """

    name: str
    description: str
    seeds: list[int]
    settings: dict[str, Any]
    versions: dict[str, Any]
    notes: list[str]
    runs: list[Run]
    command: str
    redraw: str
    failures: dict[str, str] = {}
    questions: tuple[Question, ...] = ()


@dataclass(frozen=True)
class Measurement:
    """A measurement folder in memory: its summary, and one table row per matrix, step, storage."""

    folder: Path
    summary: Summary
    table: pd.DataFrame

    @property
    def storages(self) -> list[str]:
        """Storages present, the stored precision first and bfloat16 last."""
        return sorted(self.table["storage"].unique(), key=lambda name: (name == "bfloat16", name))

    @property
    def steps(self) -> list[int]:
        """Steps of the checkpoints, ascending."""
        return sorted(int(step) for step in self.table["step"].unique())

    def rows(self, storage: str, step: int) -> pd.DataFrame:
        """Return the matrices of one checkpoint as one storage sees them."""
        table = self.table
        return table[(table["storage"] == storage) & (table["step"] == step)]

    def checkpoint(self, storage: str, step: int) -> Checkpoint:
        """Return the summary of one checkpoint as one storage sees it.

        Raises:
            StorageError: The summary does not have this checkpoint, though the table does.
        """
        for checkpoint in self.summary.checkpoints:
            if (checkpoint.storage, checkpoint.step) == (storage, step):
                return checkpoint
        raise StorageError(
            f"{self.folder / SUMMARY_FILE} has no checkpoint at step {step} in {storage}, "
            f"but {TABLE_FILE} beside it does.\n"
            "  They are not from one measurement; measure again into an empty folder."
        )


_Model = TypeVar("_Model", bound=BaseModel)


def _read_json(path: Path, model: type[_Model], again: str) -> _Model:
    try:
        return model.model_validate(read_json(path))
    except UnreadableError as error:
        raise StorageError(f"{path}: {error}.\n  {again}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise StorageError(
            f"{path} is not as expected: {where}: {first['msg']}.\n  {again}"
        ) from error


_MEASURE_AGAIN = "Measure again into an empty folder, then report on that."
_STUDY_AGAIN = "Run the study again with the same folder: finished runs are kept."


def _read_table(path: Path) -> pd.DataFrame:
    try:
        require_file(path)
        stored = set(pq.read_schema(path).names)
        missing = [name for name in NEEDED_COLUMNS if name not in stored]
        if not missing:
            return pq.read_table(path, columns=list(NEEDED_COLUMNS)).to_pandas()
    except (pa.ArrowException, OSError, UnreadableError) as error:
        reason = str(error).splitlines()[0]
        raise StorageError(
            f"{path} is not a readable Parquet file: {reason}\n  {_MEASURE_AGAIN}"
        ) from error
    raise StorageError(
        f"{path} lacks {len(missing)} of the columns a report needs: {', '.join(missing)}.\n"
        "  It comes from another version of hodograph, or is not a matrices table.\n"
        f"  {_MEASURE_AGAIN}"
    )


def read_measurement(folder: Path) -> Measurement:
    """Read a measurement folder.

    Raises:
        StorageError: A file is missing, corrupt, empty or lacks needed columns.
    """
    if not (folder / SUMMARY_FILE).exists():
        raise StorageError(
            f"{folder}: holds no finished measurement ({SUMMARY_FILE} is missing).\n"
            "  Run the same hodograph measure command again; it goes on where it stopped."
        )
    summary = _read_json(folder / SUMMARY_FILE, Summary, _MEASURE_AGAIN)
    table = _read_table(folder / TABLE_FILE)
    if table.empty:
        raise StorageError(f"{folder / TABLE_FILE} has no rows.\n  {_MEASURE_AGAIN}")
    table["module"] = table["module"].map(printable)  # labels of figures
    return Measurement(folder, summary, table)


def read_study(folder: Path) -> Study:
    """Read `study.json` of a study folder.

    Raises:
        StorageError: The file is missing or not as a study writes it.
    """
    return _read_json(folder / "study.json", Study, _STUDY_AGAIN)
