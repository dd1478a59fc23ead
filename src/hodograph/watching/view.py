"""Tell a run's folder from a study's."""

from pathlib import Path

from hodograph.errors import StorageError
from hodograph.watching.run import RunView, read_run
from hodograph.watching.study import StudyView, read_study, run_folders

View = RunView | StudyView


def look(folder: Path) -> View:
    """Read a run's folder, or a study's.

    Raises:
        StorageError: the folder is neither, or one of its files is damaged.
    """
    if (folder / "recipe.json").exists():
        return read_run(folder)
    if (folder / "study.json").exists() or run_folders(folder):
        return read_study(folder)
    if not folder.is_dir():
        raise StorageError(f"{folder} does not exist: name the folder of a run or of a study.")
    raise StorageError(
        f"{folder} holds neither a run (recipe.json) nor a study (seed_N/ARM/recipe.json)."
    )
