"""`hodograph report`: render a page again from the tables alone."""

from pathlib import Path

from hodograph.cli.terminal import Terminal
from hodograph.report.page import render


def report(folder: Path) -> None:
    """Render report.html again from the tables in FOLDER.

    Parameters
    ----------
    folder
        What `hodograph measure --out` or `hodograph study --out` wrote.
    """
    Terminal().print(f"report: {render(folder)}", soft_wrap=True, highlight=False)
