"""The command line: parse, call one library function, print."""

import sys

import cyclopts
from rich.console import Console

from hodograph.errors import HodographError

BAD_INPUT, INTERRUPTED = 2, 130

app = cyclopts.App(
    name="hodograph",
    help="Measure, train and study the path a language model's weights take.",
    version_flags=["--version"],
)
COMMANDS = (
    "measure", "train", "study", "report", "columns", "compare", "place", "watch", "sweep", "adapt",
)  # fmt: skip
for _command in COMMANDS:
    app.command(f"hodograph.cli.{_command}:{_command}", name=_command)


def main() -> None:
    """Run one command; bad input ends with one clear message and exit code 2."""
    console = Console(stderr=True, soft_wrap=True)
    try:
        app(exit_on_error=False, error_console=console)
    except cyclopts.CycloptsError:
        sys.exit(BAD_INPUT)  # cyclopts has printed what and where
    except HodographError as error:
        console.print(f"error: {error}", markup=False, highlight=False)
        sys.exit(BAD_INPUT)
    except KeyboardInterrupt:
        console.print("interrupted; run the same command again to go on", markup=False)
        sys.exit(INTERRUPTED)
