"""`hodograph study`: arms x seeds trained, measured and reported."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.progress import Progress, TaskID

from hodograph.atomic import sweep
from hodograph.claims.ledger import write_ledger
from hodograph.claims.standing import declare
from hodograph.cli.comparison import print_study
from hodograph.cli.ledger import print_ledger
from hodograph.cli.orderings import print_orderings
from hodograph.cli.progress import bars
from hodograph.cli.study_plan import print_study_plan
from hodograph.cli.terminal import Terminal
from hodograph.errors import SettingsError
from hodograph.exclusive import only_process
from hodograph.machine import usable_cores
from hodograph.report.page import render_study
from hodograph.report.study import study_orderings
from hodograph.studies.plan import StudyRun
from hodograph.studies.plan import plan as planned
from hodograph.studies.record import measured_arms, write_study
from hodograph.studies.runner import Event, Task, run_tasks, tasks_of
from hodograph.studies.study import Study, load_study
from hodograph.world import require_alone


def study(
    study_file: Path,
    *,
    out: Path,
    workers: int | None = None,
    plan: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Train what is missing of STUDY-FILE, measure it, and write its report.

    Run the same command again after an interruption: finished runs are kept, the others go on
    from their last checkpoint.

    Parameters
    ----------
    study_file
        A study in TOML.
    out
        Folder of the study.
    workers
        Worker processes, each with one thread; by default one for each core it may use.
    plan
        Print every run, what is there of it and what the rest will take, and run nothing.
    """
    if workers is not None and workers < 1:
        raise SettingsError(f"--workers {workers}: at least one worker is needed.")
    require_alone("hodograph study")
    loaded = load_study(study_file)
    runs = planned(loaded, study_file, out)
    if plan:
        _print_plan(loaded, runs, workers or usable_cores())
        return
    tasks = tasks_of(runs, loaded.measure, loaded.gates)
    with only_process(out):
        declare(out, loaded.claims, measured_arms(out))
        with bars() as progress:
            failures = run_tasks(tasks, workers or usable_cores(), _Shown(progress, tasks).on_event)
        sweep(out)
        write_study(loaded, study_file, runs, out, failures)
    for task, failure in failures.items():
        Terminal(stderr=True).print(f"failed: {task}: {failure}", soft_wrap=True)
    print_study(Terminal(), out)
    print_orderings(Terminal(), study_orderings(out))
    print_ledger(Terminal(), write_ledger(out))
    Terminal().print(f"report: {render_study(out)}", soft_wrap=True, highlight=False)
    if failures:
        raise SettingsError(f"{len(failures)} of {len(tasks)} tasks of {study_file} failed.")


def _print_plan(loaded: Study, runs: list[StudyRun], workers: int) -> None:
    from hodograph.studies.estimate import estimate_study  # imports torch and transformers

    with bars() as progress:
        bar = progress.add_task("plan", total=len(runs))
        found = estimate_study(
            runs,
            workers,
            lambda done, total: progress.update(bar, completed=done, total=total),
            loaded.gates,
        )
    print_study_plan(Terminal(), loaded.name, found)


class _Shown:
    """One bar for the whole, and one for each task in work."""

    def __init__(self, progress: Progress, tasks: list[Task]) -> None:
        self._progress = progress
        self._weights = {task.name: task.weight for task in tasks}
        self._parts = dict.fromkeys(self._weights, 0.0)
        self._bars: dict[str, TaskID] = {}
        self._ended: set[str] = set()
        self._whole = progress.add_task("whole study", total=sum(self._weights.values()))

    def on_event(self, event: Event) -> None:
        """Move the task's bar and the whole's."""
        if event.task in self._ended:
            return  # a message of a worker that came after its result
        if event.killed:
            said = f"{event.task}: its worker process was killed; it goes on in another"
            self._progress.console.print(said, soft_wrap=True, highlight=False)
        if event.ended:
            self._ended.add(event.task)
        if event.task not in self._bars:
            self._bars[event.task] = self._progress.add_task(event.task, total=event.total)
        bar = self._bars[event.task]
        part = 1.0 if event.ended else event.done / max(1, event.total)
        self._parts[event.task] = max(self._parts[event.task], part)
        self._progress.update(bar, completed=event.done, total=event.total, visible=not event.ended)
        whole = sum(self._weights[name] * part for name, part in self._parts.items())
        self._progress.update(self._whole, completed=whole)
