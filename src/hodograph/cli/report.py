"""`hodograph report`: render a page again from the tables alone."""

from pathlib import Path

from hodograph.claims.ledger import write_ledger
from hodograph.claims.standing import CLAIMS_FILE
from hodograph.cli.terminal import Terminal
from hodograph.cli.written import report_at


def report(folder: Path) -> None:
    """Render report.html again from the tables in FOLDER, a study's ledger.json too.

    Parameters
    ----------
    folder
        What `hodograph measure --out` or `hodograph study --out` wrote; of a measurement also a
        URL such as s3://bucket/name.
    """
    if (folder / CLAIMS_FILE).exists():
        write_ledger(folder)
    Terminal().print(f"report: {report_at(folder)}", soft_wrap=True, highlight=False)
