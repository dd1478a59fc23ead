"""Running a study: what is missing is trained and measured, in worker processes."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from hodograph.errors import HodographError
from hodograph.studies import worker
from hodograph.studies.gates import GatesSection
from hodograph.studies.plan import StudyRun
from hodograph.studies.slot import Slot, Start, was_killed
from hodograph.studies.study import MeasureSection

LIVES = 2  # of a task: when its process was killed so often, it fails
MEASURE_WEIGHT = 0.15  # of a run's steps; only the bar's estimate depends on it
GATES_WEIGHT = 2.0  # the same, for the three checkpoints of an account of the gates


@dataclass(frozen=True)
class Task:
    """One training or measuring of a run.

    Attributes:
        name: as shown beside its bar.
        run: which run.
        needs: names of tasks that must have ended well before.
        weight: its share of the whole, for the bar.
        submit: starts it in a pool.
    """

    name: str
    run: StudyRun
    needs: tuple[str, ...]
    weight: float
    submit: Start


@dataclass(frozen=True)
class Event:
    """What happened to a task: it went on, or ended, well or with a failure, or is begun again.

    Attributes:
        task: its name.
        done: of `total` in work.
        total: as the task counts.
        ended: whether it is over.
        failure: why it failed.
        killed: whether its process was killed, and it goes on in another.
    """

    task: str
    done: int
    total: int
    ended: bool = False
    failure: str | None = None
    killed: bool = False


def tasks_of(
    runs: list[StudyRun], measure: MeasureSection, gates: GatesSection | None = None
) -> list[Task]:
    """Training of every run, measuring of every arm, and of the gates of the arms named.

    Raises:
        SettingsError: the gates' teacher is no run of the study.
    """
    tasks = []
    for run in runs:
        train = f"train {run.key}"
        needs = tuple(f"train {need}" for need in run.needs)
        tasks.append(Task(train, run, needs, run.recipe.steps, _training(train, run)))
        if run.role == "arm":
            name = f"measure {run.key}"
            start = _measuring(name, run, measure)
            tasks.append(Task(name, run, (train,), MEASURE_WEIGHT * run.recipe.steps, start))
        if gates is not None and gates.applies_to(run):
            tasks.append(_of_gates(run, runs, gates))
    return tasks


def run_tasks(tasks: list[Task], workers: int, on_event: Callable[[Event], None]) -> dict[str, str]:
    """Run tasks in worker processes as soon as what they need has ended, in their order.

    A failed task does not stop the others, only those that need it. One whose process was killed
    is begun again in a new process, once.

    Returns:
        The failed tasks and why, empty if all went well.
    """
    waiting, failures = list(tasks), dict[str, str]()
    ended, killed = set[str](), Counter[str]()
    running: dict[Future[None], tuple[Task, Slot]] = {}
    with ExitStack() as opened:
        slots = [Slot(opened) for _ in range(min(workers, len(tasks)))]
        idle = list(slots)
        while waiting or running:
            ready = [task for task in waiting if ended.issuperset(task.needs)]
            for task in ready[: len(idle)]:
                waiting.remove(task)
                slot = idle.pop()
                running[slot.submit(task.submit)] = task, slot
            for future in wait(running, timeout=0.2, return_when=FIRST_COMPLETED).done:
                task, slot = running.pop(future)
                idle.append(slot)
                killed[task.name] += was_killed(future)
                event = _outcome(task.name, future, killed[task.name])
                if event.killed:
                    waiting.insert(0, task)
                elif event.failure is None:
                    ended.add(task.name)
                else:
                    failures[task.name] = event.failure
                on_event(event)
            waiting = _without_blocked(waiting, failures, on_event)
            for slot in slots:
                for name, done, total in slot.messages():
                    on_event(Event(name, done, total))
    return failures


def checkpoints_of(folder: Path) -> list[Path]:
    """A finished run's checkpoints in the order of steps."""
    found = (folder / "checkpoints").glob("step_*")
    return sorted(found, key=lambda path: int(path.name.removeprefix("step_")))


def _training(name: str, run: StudyRun) -> Start:
    return lambda pool: pool.submit(worker.train_run, name, run.recipe, run.folder)


def _measuring(name: str, run: StudyRun, measure: MeasureSection) -> Start:
    inputs = run.folder if measure.inputs == "run" else None
    return lambda pool: pool.submit(
        worker.measure_run,
        name,
        checkpoints_of(run.folder),
        run.measurement,
        measure.settings(),
        inputs,
    )


def _of_gates(run: StudyRun, runs: list[StudyRun], gates: GatesSection) -> Task:
    name, teacher = f"gates {run.key}", gates.teacher_of(run, runs)
    scored_by = None if teacher is None else teacher.folder
    needs = tuple(f"train {one.key}" for one in (run, teacher) if one is not None)

    def start(pool: ProcessPoolExecutor) -> "Future[None]":
        settings = gates.settings()
        return pool.submit(worker.gate_run, name, run.folder, run.gates, scored_by, settings)

    return Task(name, run, needs, GATES_WEIGHT * run.recipe.steps, start)


def _outcome(name: str, future: "Future[None]", killed: int) -> Event:
    """How a task came out of its process, the last of `killed` that were killed, if it was."""
    if was_killed(future) and killed < LIVES:
        return Event(name, 0, 1, killed=True)
    return Event(name, 1, 1, ended=True, failure=_failure(future))


def _failure(future: "Future[None]") -> str | None:
    if was_killed(future):
        return (
            f"its worker process was killed {LIVES} times, perhaps for memory; run the same command"
            " again to go on, or with fewer --workers"
        )
    try:
        future.result()
    except HodographError as error:
        return str(error)
    except Exception as error:  # a defect in one arm must not lose the others
        return f"{type(error).__name__}: {error}"
    return None


def _without_blocked(
    waiting: list[Task], failures: dict[str, str], on_event: Callable[[Event], None]
) -> list[Task]:
    left = []
    for task in waiting:
        failed = [need for need in task.needs if need in failures]
        if failed:
            failures[task.name] = f"needs {failed[0]}, which failed"
            on_event(Event(task.name, 0, 1, ended=True, failure=failures[task.name]))
        else:
            left.append(task)
    return left
