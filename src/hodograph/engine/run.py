"""Running a measurement: unit after unit, each kept as one atomic part."""

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import Protocol

import torch

from hodograph.engine.matrix import Row
from hodograph.engine.plan import largest_first
from hodograph.errors import FactoringError, SettingsError
from hodograph.matrices.pairing import Parameter

Progress = Callable[[int, int, str], None]
Work = Callable[[Parameter], list[Row]]
Accepts = Callable[[int], bool]
Measured = Generator[tuple[Parameter, list[Row]]]


class Parts(Protocol):
    """Where finished units are kept."""

    def load(self, parameter: str) -> list[Row] | None:
        """Rows of a unit that was finished before, or None."""

    def store(self, parameter: str, rows: list[Row]) -> None:
        """Keep a finished unit."""


class Engine(Protocol):
    """What computes units, each on one thread, so that all engines give the same bytes."""

    def kind_of(self, device: str) -> str:
        """What numbers of a device depend on, where this engine computes."""

    def measured(self, units: list[Parameter], work: Work) -> Measured:
        """Each unit with its rows, as they are finished; units start in the order given."""


def run(
    parameters: Sequence[Parameter],
    work: Work,
    accepts: Accepts,
    parts: Parts,
    on_progress: Progress,
    engine: Engine,
) -> list[Row]:
    """Measure every unit that is not kept yet, and return the rows of all, in name order.

    The rows are bitwise the same for every engine.

    Args:
        parameters: the units.
        work: measures one unit; other processes get a pickled copy.
        accepts: whether kept rows with this many NaN or infinite weights may stand.
        parts: where finished units are kept.
        on_progress: called with entries done, entries in all, and the parameter in work.
        engine: computes what is missing.

    Raises:
        FactoringError: singular values of a matrix cannot be computed.
        SettingsError: a CUDA device has too little memory.
        StorageError: a worker process was killed; what was finished is kept.
    """
    total, done = sum(unit.entries for unit in parameters), 0
    rows = {unit.name: kept for unit in parameters if (kept := _kept(unit, parts, accepts))}
    missing = largest_first([unit for unit in parameters if unit.name not in rows])
    done = total - sum(unit.entries for unit in missing)
    on_progress(done, total, "")
    with closing(engine.measured(missing, work)) as measured:
        for unit, found in measured:
            parts.store(unit.name, found)
            rows[unit.name] = found
            done += unit.entries
            on_progress(done, total, unit.name)
    found = [row for name in sorted(rows) for row in rows[name]]
    return sorted(found, key=lambda row: row["parameter"])  # a batch holds several


def measured_here(work: Work, unit: Parameter) -> list[Row]:
    """Measure one unit in this process.

    Raises:
        FactoringError: singular values of a matrix of it cannot be computed.
        SettingsError: its CUDA device has too little memory.
    """
    try:
        return work(unit)
    except FactoringError as error:
        raise FactoringError(
            f"{unit.name}: {error}\n"
            "  Leave it out by --scope, or measure it with --only sparsity, which needs none."
        ) from error
    except torch.OutOfMemoryError as error:
        raise SettingsError(
            f"{unit.name}: the CUDA device has too little free memory for it.\n"
            "  `measure --plan` says what a unit needs. Go on with --device cpu; it starts anew,"
            " since its numbers differ in their last digits."
        ) from error


def _kept(unit: Parameter, parts: Parts, accepts: Accepts) -> list[Row]:
    """Rows of a unit that was finished before and may stand, or none."""
    rows = parts.load(unit.name) or []
    return rows if accepts(sum(row["nonfinite"] or 0 for row in rows)) else []
