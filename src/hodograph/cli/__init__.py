"""The command line: parse, call one library function, print."""

import sys

import cyclopts

from hodograph.cli.terminal import Terminal
from hodograph.errors import HodographError
from hodograph.world import end, speaks

BAD_INPUT, INTERRUPTED = 2, 130

app = cyclopts.App(
    name="hodograph",
    help="Measure, train and study the path a language model's weights take.",
    version_flags=["--version"],
    suppress_keyboard_interrupt=False,  # main says how to go on
)
COMMANDS = {  # the first sentence of each one's help, shown without loading it
    "measure": "Measure the update from BASE to each TUNED checkpoint.",
    "merge": "Make table, summary and page of a measurement whose shards have all ended.",
    "train": "Train a recipe; the same command resumes a run that was killed.",
    "study": "Train what is missing of STUDY-FILE, measure it, and write its report.",
    "report": "Render report.html again from the tables in FOLDER, a study's ledger.json too.",
    "columns": "Print the declaration of every column: type, unit, formula, source.",
    "compare": "Compare the updates of two runs, A and B, that started from BASE.",
    "place": "Place the measurement in FOLDER among own arms and published runs.",
    "diff": "Say what differs between checkpoints A and B: values, dtypes, shapes, tensors, ties.",
    "inspect": "Say what is in CHECKPOINT, and what `hodograph measure` would take of it.",
    "watch": "Show how far FOLDER, a run or a study, has come, until it is finished.",
    "sweep": "Vary alpha, r, k, K and the k of the Hill estimate, one at a time.",
    "adapt": "Write a LoRA adapter that goes on inside the subspace of a run's early update.",
    "gates": "Measure the three-gate account of RUN: divergences, gradients, visible changes.",
}
for _command, _line in COMMANDS.items():
    app.command(f"hodograph.cli.{_command}:{_command}", name=_command, help=_line)


def command(name: str) -> cyclopts.App:
    """Load a command, with the whole of its own help in place of its line in COMMANDS."""
    loaded = app[name]
    loaded.help = None
    return loaded


def main() -> None:
    """Run one command; bad input ends with one clear message and exit code 2."""
    console = Terminal(stderr=True, soft_wrap=True)
    try:
        if sys.argv[1:2] and sys.argv[1] in COMMANDS:
            command(sys.argv[1])
        app(sys.argv[1:], exit_on_error=False, error_console=console)
    except cyclopts.CycloptsError:
        sys.exit(BAD_INPUT)  # cyclopts has printed what and where
    except HodographError as error:
        if speaks():
            console.print(f"error: {error}", highlight=False)
        end(BAD_INPUT)
    except BrokenPipeError:
        sys.stdout = None  # whoever read the output has gone; there is nothing to say and nobody
    except OSError as error:
        where = f"{error.filename}: " if error.filename is not None else ""
        console.print(f"error: {where}{error.strerror or error}.", highlight=False)
        end(BAD_INPUT)
    except KeyboardInterrupt:
        console.print("interrupted; run the same command again to go on")
        sys.exit(INTERRUPTED)
