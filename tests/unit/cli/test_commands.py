"""What `--help` says: a line a command without loading any, and the whole of one that is asked."""

import os
import subprocess
import sys

import pytest

from hodograph.cli import COMMANDS, app, command


def printed(*tokens):
    done = subprocess.run(
        [sys.executable, "-m", "hodograph", *tokens, "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "COLUMNS": "120"},
    )
    return " ".join(done.stdout.split())


@pytest.mark.parametrize("name", COMMANDS)
def test_the_line_of_a_command_begins_its_own_help(name):
    assert COMMANDS[name].endswith(".")
    assert command(name).help.startswith(COMMANDS[name])


def test_every_command_has_its_line_in_the_list():
    shown = printed()
    assert [line for line in COMMANDS.values() if line.replace("`", "") not in shown] == []


def test_the_list_loads_no_command():
    code = "import sys, hodograph.cli as c; c.app.help_print([])"
    loaded = "print('LOADED', *(n for n in c.COMMANDS if f'hodograph.cli.{n}' in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; {loaded}"], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1].split() == ["LOADED"]


def test_a_command_that_is_asked_shows_all_of_its_help():
    assert "Several TUNED are a trajectory" in printed("measure")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_argument_has_its_help_and_no_option_is_invented(name):
    arguments = app[name].assemble_argument_collection(parse_docstring=True)
    silent = [a.name for a in arguments if a.show and not a.parameter.help]
    invented = [n for a in arguments for n in a.names if n.startswith(("--no-", "--empty-"))]
    assert (silent, invented) == ([], [])
