"""The command line in this process, held to its limits."""

import resource
import signal
import sys

from hodograph.cli import main

SECONDS = 20
GIGABYTE = 1 << 20  # in the kilobytes that getrusage counts
LONGEST = 1500  # characters of a message


def run(capsys, *arguments):
    """Run the command line in this process; its exit code, output and errors."""
    before = sys.argv

    def late(*_):
        raise TimeoutError(f"longer than {SECONDS} s: {arguments}")

    handler = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    sys.argv = ["hodograph", *map(str, arguments)]
    try:
        main()
        code = 0
    except SystemExit as end:
        code = end.code or 0
    finally:
        sys.argv = before
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def refused(capsys, *arguments):
    """The message that a command refuses its input with."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    code, _, errors = run(capsys, *arguments)
    assert code == 2, (code, errors)
    assert "Traceback" not in errors
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < GIGABYTE
    message = errors.partition("error: ")[2] or errors
    assert message.strip()
    assert len(message) < LONGEST + 2 * max(len(str(one)) for one in arguments), message
    return message
