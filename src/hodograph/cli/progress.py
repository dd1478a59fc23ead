"""Bars with the time left, on standard error."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from hodograph.cli.terminal import Terminal
from hodograph.engine.run import Progress as OnProgress
from hodograph.printable import printable


def bars() -> Progress:
    """Progress bars as every command shows them."""
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Terminal(stderr=True),
    )


@contextmanager
def entries_bar(description: str) -> Iterator[OnProgress]:
    """One bar over the entries of a measurement."""
    with bars() as progress:
        task = progress.add_task(description, total=None)

        def update(done: int, total: int, name: str) -> None:
            doing = printable(f"{description} {name}".strip())
            progress.update(task, completed=done, total=total, description=doing)

        yield update
