"""Bars with the time left, on standard error."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from hodograph.engine.local import Progress as OnProgress


def bars() -> Progress:
    """Progress bars as every command shows them."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


@contextmanager
def entries_bar(description: str) -> Iterator[OnProgress]:
    """One bar over the entries of a measurement."""
    with bars() as progress:
        task = progress.add_task(description, total=None)

        def update(done: int, total: int, name: str) -> None:
            progress.update(
                task, completed=done, total=total, description=f"{description} {name}".strip()
            )

        yield update
