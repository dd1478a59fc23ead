"""What of a study's runs lies in its folder already."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hodograph.errors import SettingsError
from hodograph.exclusive import LOCK_FILE
from hodograph.studies.plan import StudyRun
from hodograph.tables.gates import GATES
from hodograph.tables.store import MATRICES
from hodograph.training.folder import RunFolder, read_json
from hodograph.watching import RunView, read_run


@dataclass(frozen=True)
class Kept:
    """What is there of one run.

    Attributes:
        step: steps trained.
        finished: whether it was trained to its end.
        measured: whether it is finished and was measured.
        size: bytes of the run's folder.
        measuring: seconds from the measurement's lock to its summary, where it was measured.
        gates: the same for the account of its gates, where there is one.
        seconds_a_step: from its start to its last step; None where it was resumed, or has no step.
        other: the setting in which the folder's recipe differs from the study's, in words.
    """

    step: int = 0
    finished: bool = False
    measured: bool = False
    size: int = 0
    measuring: float | None = None
    gates: float | None = None
    seconds_a_step: float | None = None
    other: str | None = None


def kept(run: StudyRun) -> Kept:
    """Look at a run's folder.

    Raises:
        StorageError: one of its files is damaged.
    """
    if not (run.folder / "recipe.json").exists():
        return Kept(size=_size(run.folder))
    view = read_run(run.folder)
    measuring = _seconds(run.measurement / MATRICES.summary_file) if view.finished else None
    gates = _seconds(run.gates / GATES.summary_file) if view.finished else None
    return Kept(
        step=view.step,
        finished=view.finished,
        measured=measuring is not None,
        size=_size(run.folder),
        measuring=measuring,
        gates=gates,
        seconds_a_step=_seconds_of_whole(run.folder, view) or view.seconds_a_step,
        other=_other(run),
    )


def _seconds_of_whole(folder: Path, view: RunView) -> float | None:
    """Seconds a step as a finished run recorded them, unless it was resumed."""
    if not view.finished or len(view.started) != 1 or not view.step:
        return None
    finished = read_json(folder / "provenance.json")["finished"]
    return (datetime.fromisoformat(finished).timestamp() - view.started[0]) / view.step


def _seconds(summary: Path) -> float | None:
    """From the lock of a result to its summary; None without a summary."""
    lock = summary.with_name(LOCK_FILE)
    if not summary.exists():
        return None
    begun = lock if lock.exists() else summary
    return max(0.0, summary.stat().st_mtime - begun.stat().st_mtime)


def _other(run: StudyRun) -> str | None:
    try:
        RunFolder(run.folder).require(run.recipe)
    except SettingsError as error:
        return str(error).partition(": ")[2].partition("\n")[0]
    return None


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
