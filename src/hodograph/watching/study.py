"""A study as its folder shows it at this moment: one view a run."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hodograph.errors import StorageError
from hodograph.watching.run import RunView, read_run


@dataclass(frozen=True)
class StudyView:
    """The runs of a study that have begun, by `seed_N/NAME`.

    Attributes:
        name: of the study's folder.
        runs: in the order of their names.
        finished: whether study.json, which is written last, is newer than every run.
        failures: what failed and why, once the study has ended.
    """

    name: str
    runs: Mapping[str, RunView]
    finished: bool
    failures: Mapping[str, str] = field(default_factory=dict)


def run_folders(folder: Path) -> list[Path]:
    """The folders of a study's runs, in order."""
    return sorted(recipe.parent for recipe in folder.glob("seed_*/*/recipe.json"))


def read_study(folder: Path) -> StudyView:
    """Read every run of a study that has begun.

    Raises:
        StorageError: one of its files is damaged.
    """
    folders = run_folders(folder)
    runs = {str(path.relative_to(folder)): read_run(path) for path in folders}
    record = folder / "study.json"
    if not record.exists() or record.stat().st_mtime < max(map(_changed, folders), default=0.0):
        return StudyView(folder.name, runs, finished=False)
    return StudyView(folder.name, runs, finished=True, failures=_failures(record))


def _changed(run: Path) -> float:
    """When a run last started, wrote a line of metrics, or finished."""
    names = ("provenance.json", "metrics.jsonl", "finished.json")
    return max((run / n).stat().st_mtime if (run / n).exists() else 0.0 for n in names)


def _failures(record: Path) -> dict[str, str]:
    try:
        return json.loads(record.read_text(encoding="utf-8"))["failures"]
    except (OSError, ValueError, KeyError, RecursionError) as error:
        raise StorageError(f"{record} cannot be read: {error}.") from None
