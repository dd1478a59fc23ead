"""Running a measurement on this machine: unit after unit, each kept as one atomic part."""

from collections.abc import Callable, Sequence
from typing import Protocol

from hodograph.checkpoints import Trajectory
from hodograph.engine.matrix import Row
from hodograph.engine.settings import Settings
from hodograph.engine.worker import measure_parameter
from hodograph.matrices.pairing import Parameter

Progress = Callable[[int, int, str], None]


class Parts(Protocol):
    """Where finished units are kept."""

    def load(self, parameter: str) -> list[Row] | None:
        """Rows of a unit that was finished before, or None."""

    def store(self, parameter: str, rows: list[Row]) -> None:
        """Keep a finished unit."""


def largest_first(parameters: Sequence[Parameter]) -> list[Parameter]:
    """Units in the order of work, from headers alone."""
    return sorted(parameters, key=lambda unit: (-unit.entries, unit.name))


def run(
    parameters: Sequence[Parameter],
    trajectory: Trajectory,
    settings: Settings,
    parts: Parts,
    on_progress: Progress,
) -> list[Row]:
    """Measure every unit that is not kept yet, and return the rows of all, in name order."""
    total = sum(unit.entries for unit in parameters)
    done, rows = 0, {}
    for unit in largest_first(parameters):
        on_progress(done, total, unit.name)
        kept = parts.load(unit.name)
        if kept is None:
            kept = measure_parameter(unit, trajectory, settings)
            parts.store(unit.name, kept)
        rows[unit.name] = kept
        done += unit.entries
    on_progress(done, total, "")
    return [row for name in sorted(rows) for row in rows[name]]
