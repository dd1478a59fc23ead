"""`hodograph watch`: a run, or a study, in the terminal while it goes on."""

import time
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.live import Live

from hodograph.cli.terminal import Terminal
from hodograph.cli.watched import Pace, drawn
from hodograph.watching import look

SECONDS = 1.0  # between two looks


def watch(folder: Path, /, *, once: Annotated[bool, Parameter(negative="")] = False) -> None:
    """Show how far FOLDER, a run or a study, has come, until it is finished.

    It only reads, so a run can be watched by anyone at any time.

    Parameters
    ----------
    folder
        Folder of a run or of a study.
    once
        Print it as it is now, and return.
    """
    pace, view, console = Pace(), look(folder), Terminal()
    if once:
        console.print(drawn(view, pace))
        return
    with Live(drawn(view, pace), console=console) as live:
        while not view.finished:
            time.sleep(SECONDS)
            view = look(folder)
            live.update(drawn(view, pace))
