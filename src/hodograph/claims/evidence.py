"""What claims are judged by: tables, accuracies and gates of a study's arms, one set a seed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ValidationError

from hodograph.claims.metrics import COLUMNS
from hodograph.documents import UnreadableError, read_json, read_object, require_file
from hodograph.errors import StorageError
from hodograph.tables.store import TABLE_FILE

GATES_FILE = "gates.json"


class AbsentError(Exception):
    """Why a test cannot be made; a claim's verdict is then `undetermined (why)`."""


@dataclass(frozen=True)
class Trained:
    """One arm of one seed.

    Attributes:
        w0: digest of the weights it starts from; None where the study does not tell.
        accuracy: at temperature 1, at the end; None where it was not evaluated.
        start: the same at step 0.
        table: its `matrices`; None where it was not measured.
        gates: its `gates.json`; None where there is none.
    """

    w0: str | None = None
    accuracy: float | None = None
    start: float | None = None
    table: pd.DataFrame | None = None
    gates: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Evidence:
    """The arms of a study.

    Attributes:
        study: its name.
        arms: for each name its seeds.
    """

    study: str
    arms: Mapping[str, Mapping[int, Trained]]

    def tables(self, arm: str) -> dict[int, pd.DataFrame]:
        """The `matrices` tables of an arm, by seed.

        Raises:
            AbsentError: no seed of it was measured.
        """
        found = {seed: one.table for seed, one in self._seeds(arm).items()}
        return self._present(found, f"{arm} was not measured")

    def accuracies(self, arm: str) -> dict[int, float]:
        """The last accuracies of an arm, by seed.

        Raises:
            AbsentError: no seed of it was evaluated.
        """
        found = {seed: one.accuracy for seed, one in self._seeds(arm).items()}
        return self._present(found, f"{arm} was not evaluated")

    def gains(self, arm: str) -> dict[int, float]:
        """The last accuracies of an arm less those at step 0, by seed.

        Raises:
            AbsentError: no seed of it was evaluated at both.
        """
        found = {
            seed: one.accuracy - one.start
            for seed, one in self._seeds(arm).items()
            if one.accuracy is not None and one.start is not None
        }
        return self._present(found, f"{arm} was not evaluated at its start")

    def gates(self, arm: str) -> dict[int, Mapping[str, Any]]:
        """What was measured of an arm's gates, by seed.

        Raises:
            AbsentError: of no seed.
        """
        found = {seed: one.gates for seed, one in self._seeds(arm).items()}
        return self._present(found, "gates were not measured")

    def only(self, seeds: list[int]) -> "Evidence":
        """The same study with these seeds alone."""
        return Evidence(
            self.study,
            {
                arm: {s: one for s, one in runs.items() if s in seeds}
                for arm, runs in self.arms.items()
            },
        )

    def one_origin(self, *arms: str) -> bool:
        """Whether arms start from one W0 in every seed they share."""
        runs = [self._seeds(arm) for arm in arms]
        shared = set.intersection(*(set(seeds) for seeds in runs))
        return all(len({seeds[seed].w0 for seeds in runs}) == 1 for seed in shared)

    def _seeds(self, arm: str) -> Mapping[int, Trained]:
        if not self.arms.get(arm):
            raise AbsentError(f"{arm} was not trained")
        return self.arms[arm]

    @staticmethod
    def _present(found: Mapping[int, Any], why: str) -> dict[int, Any]:
        present = {seed: one for seed, one in found.items() if one is not None}
        if not present:
            raise AbsentError(why)
        return present


def shared(*values: Mapping[int, Any]) -> list[int]:
    """The seeds that several arms have, ascending.

    Raises:
        AbsentError: they share none.
    """
    seeds = sorted(set.intersection(*(set(one) for one in values)))
    if not seeds:
        raise AbsentError("the arms share no seed")
    return seeds


def read_evidence(folder: Path, arms: set[str]) -> Evidence:
    """Read what a study folder holds of some arms.

    Raises:
        StorageError: study.json, a table or gates.json cannot be read.
    """
    study = _study(folder / "study.json")
    found: dict[str, dict[int, Trained]] = {}
    for run in study.runs:
        if run.role == "arm" and run.name in arms:
            found.setdefault(run.name, {})[run.seed] = _trained(folder, run)
    return Evidence(study.name, found)


class _Accuracy(BaseModel):
    start: float | None = None
    end: float | None = None


class _Run(BaseModel):
    name: str
    role: str
    seed: int
    w0_digest: str | None = None
    accuracy: _Accuracy = _Accuracy()
    measurement: str | None = None
    gates: str | None = None


class _Study(BaseModel):
    name: str
    runs: list[_Run]


def _study(path: Path) -> _Study:
    try:
        return _Study.model_validate(read_json(path))
    except (UnreadableError, ValidationError) as error:
        why = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise StorageError(
            f"{path}: {why}.\n  Run the study again with the same folder: finished runs are kept."
        ) from error


def _trained(folder: Path, run: _Run) -> Trained:
    measured = folder / run.measurement if run.measurement else None
    return Trained(
        w0=run.w0_digest,
        accuracy=run.accuracy.end,
        start=run.accuracy.start,
        table=_table(measured / TABLE_FILE) if measured else None,
        gates=_gates(folder / run.gates / GATES_FILE) if run.gates else None,
    )


def _gates(path: Path) -> Mapping[str, Any]:
    try:
        return read_object(path)
    except UnreadableError as error:
        raise StorageError(f"{path}: {error}.\n  Measure the gates again.") from error


def _table(path: Path) -> pd.DataFrame:
    try:
        require_file(path)
        return pq.read_table(path, columns=list(COLUMNS)).to_pandas()
    except (pa.ArrowException, OSError, UnreadableError) as error:
        reason = str(error).splitlines()[0]
        raise StorageError(
            f"{path} cannot be read: {reason}\n  Measure again into an empty folder."
        ) from error
