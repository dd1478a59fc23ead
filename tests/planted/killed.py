"""Work for worker processes that are killed in the middle of it."""

import os
import signal
import time
from pathlib import Path


def note(file: Path) -> None:
    """Leave a line in `file`."""
    with file.open("a") as out:
        out.write("here\n")


def die_once(file: Path) -> None:
    """Be killed the first time, and end well the second."""
    first = not file.exists()
    note(file)
    if first:
        os.kill(os.getpid(), signal.SIGKILL)


def outlive(file: Path, other: Path) -> None:
    """Leave a line in `file`, then stay in work until `other` has two."""
    note(file)
    while not other.exists() or other.read_text().count("\n") < 2:
        time.sleep(0.05)


def die(file: Path) -> None:
    """Leave a line in `file` and be killed."""
    note(file)
    os.kill(os.getpid(), signal.SIGKILL)
