"""Tasks in real worker processes, some of which are killed."""

from pathlib import Path
from typing import Any

from hodograph.studies.runner import Event, Task, run_tasks
from planted.killed import die, die_once, note, outlive


def task(name: str, work: Any, *arguments: Any, needs: tuple[str, ...] = ()) -> Task:
    return Task(name, None, needs, 1.0, lambda pool: pool.submit(work, *arguments))


def run(tasks: list[Task], workers: int) -> tuple[dict[str, str], list[Event]]:
    events: list[Event] = []
    return run_tasks(tasks, workers, events.append), events


def lines(file: Path) -> int:
    return file.read_text().count("\n")


def test_a_task_whose_process_always_dies_fails_alone(tmp_path: Path) -> None:
    long, bad, *rest = [tmp_path / name for name in ("long", "bad", "a", "b", "c")]
    tasks = [task("long", outlive, long, bad), task("bad", die, bad)]
    tasks += [task(file.name, note, file) for file in rest]
    tasks += [task("after", note, tmp_path / "after", needs=("bad",))]
    failures, _ = run(tasks, 2)
    assert failures == {
        "bad": "its worker process was killed 2 times, perhaps for memory; run the same command"
        " again to go on, or with fewer --workers",
        "after": "needs bad, which failed",
    }
    assert lines(bad) == 2
    assert [lines(file) for file in (long, *rest)] == [1, 1, 1, 1], "nothing else is begun again"
    assert not (tmp_path / "after").exists()


def test_a_task_whose_process_was_killed_once_goes_on_in_another(tmp_path: Path) -> None:
    once, after, last = [tmp_path / name for name in ("once", "after", "last")]
    tasks = [task("once", die_once, once), task("after", note, after, needs=("once",))]
    failures, events = run([*tasks, task("last", note, last)], 1)
    assert failures == {}
    assert [lines(file) for file in (once, after, last)] == [2, 1, 1]
    assert [event.task for event in events if event.killed] == ["once"]
    assert [event.task for event in events if event.ended] == ["once", "after", "last"]
