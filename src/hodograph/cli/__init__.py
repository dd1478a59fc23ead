"""The command line: parse, call one library function, print."""

import sys

import cyclopts

from hodograph.cli.terminal import Terminal
from hodograph.errors import HodographError
from hodograph.world import speaks

BAD_INPUT, INTERRUPTED = 2, 130

app = cyclopts.App(
    name="hodograph",
    help="Measure, train and study the path a language model's weights take.",
    version_flags=["--version"],
    suppress_keyboard_interrupt=False,  # main says how to go on
)
COMMANDS = (
    "measure", "merge", "train", "study", "report", "columns", "compare", "place", "diff",
    "inspect", "watch", "sweep", "adapt", "gates",
)  # fmt: skip
for _command in COMMANDS:
    app.command(f"hodograph.cli.{_command}:{_command}", name=_command)


def main() -> None:
    """Run one command; bad input ends with one clear message and exit code 2."""
    console = Terminal(stderr=True, soft_wrap=True)
    try:
        app(sys.argv[1:], exit_on_error=False, error_console=console)
    except cyclopts.CycloptsError:
        sys.exit(BAD_INPUT)  # cyclopts has printed what and where
    except HodographError as error:
        if speaks():
            console.print(f"error: {error}", highlight=False)
        sys.exit(BAD_INPUT)
    except BrokenPipeError:
        sys.stdout = None  # whoever read the output has gone; there is nothing to say and nobody
    except OSError as error:
        where = f"{error.filename}: " if error.filename is not None else ""
        console.print(f"error: {where}{error.strerror or error}.", highlight=False)
        sys.exit(BAD_INPUT)
    except KeyboardInterrupt:
        console.print("interrupted; run the same command again to go on")
        sys.exit(INTERRUPTED)
