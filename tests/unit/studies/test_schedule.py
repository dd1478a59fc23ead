"""The time of tasks in worker processes, where it is plain."""

import pytest

from hodograph.studies.schedule import time_of_all

FREE = {"a": (), "b": (), "c": ()}


@pytest.mark.parametrize(("workers", "seconds"), [(1, 12.0), (2, 7.0), (3, 5.0), (9, 5.0)])
def test_free_tasks_are_shared(workers: int, seconds: float) -> None:
    assert time_of_all({"a": 5.0, "b": 4.0, "c": 3.0}, FREE, workers) == seconds


def test_a_task_waits_for_what_it_needs_and_not_for_what_is_done() -> None:
    needs = {"a": (), "b": ("a",), "c": ("b",)}
    assert time_of_all({"a": 1.0, "b": 2.0, "c": 4.0}, needs, 3) == 7
    assert time_of_all({"b": 2.0, "c": 4.0}, needs, 3) == 6
    assert time_of_all({}, needs, 3) == 0
