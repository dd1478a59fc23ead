"""Measuring that stops wherever a matrix is to be factored, so that others can be with it.

A task is a generator: it yields a matrix, is sent the factors, and in the end returns its result.
"""

from collections.abc import Generator, Sequence
from typing import TypeVar

from torch import Tensor

from hodograph.linalg.factor import Wanted, factor_many
from hodograph.linalg.factors import Factors
from hodograph.linalg.low_rank import factor_product

T = TypeVar("T")
Task = Generator[Wanted, Factors, T]


def alone(task: Task[T]) -> T:
    """The result of a task whose matrices are factored one at a time."""
    return together([task])[0]


def together(tasks: Sequence[Task[T]]) -> list[T]:
    """The results of several tasks; what all want at the same time is factored together."""
    answers: dict[int, Factors | None] = dict.fromkeys(range(len(tasks)))
    results: dict[int, T] = {}
    while answers:
        wanted: dict[int, Wanted] = {}
        for index, answer in answers.items():
            task = tasks[index]
            try:
                wanted[index] = next(task) if answer is None else task.send(answer)
            except StopIteration as finished:
                results[index] = finished.value
        answers = dict(zip(wanted, factor_many(list(wanted.values())), strict=True))
    return [results[index] for index in range(len(tasks))]


def change_factored(
    matrix_MN: Tensor, product: tuple[Tensor, Tensor] | None, vectors: int, *, exact: bool
) -> Task[Factors]:
    """As `factor_change`, asking for what is factored as a matrix."""
    if product is not None:
        return factor_product(*product, vectors)
    return (yield Wanted(matrix_MN, vectors, exact=exact))
