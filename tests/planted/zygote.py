"""A process that has imported everything, and forks a command line for each line it is given.

Importing the training side takes ten seconds, a tiny run one: so hundreds of them can be killed.
Each request is a JSON object on standard input: `arguments` of the command line, `out` its folder,
and, to kill it, `after` so many seconds or before its file operation number `operation` in `out`;
or, to send its processes a `signal`, the pattern of a file in `out` that `appears` first.
The answer is a JSON object: `code`, `seconds`, and how many file `operations` there were.
"""

import json
import os
import select
import signal
import sys
import time
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Any

OPERATIONS = {"open", "os.mkdir", "os.remove", "os.rename", "os.rmdir"}


def serve() -> None:
    """Answer requests until there are no more."""
    _import_everything()
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        print(json.dumps(_run(json.loads(line))), flush=True)


def _import_everything() -> None:
    for command in ("measure", "train", "study"):
        import_module(f"hodograph.cli.{command}")
    import_module("hodograph.training.assembly")
    import_module("hodograph.matrices.loops")  # else every command would load it again
    fork = get_context("fork")  # a study's workers need not import it all again either
    for user in ("hodograph.processes", "hodograph.studies.runner"):
        import_module(user).SPAWN = fork


def _run(request: dict[str, Any]) -> dict[str, Any]:
    read, write = os.pipe()
    start = time.monotonic()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        _command(request, write)
    os.close(write)
    if request.get("after") is not None and not select.select([read], [], [], request["after"])[0]:
        os.kill(pid, signal.SIGKILL)
    if "appears" in request:
        while not list(Path(request["out"]).glob(request["appears"])):
            time.sleep(0.002)
        os.killpg(pid, request["signal"])
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    _wait_for_workers(pid)
    told = os.read(read, 64)
    os.close(read)
    return {
        "code": status,
        "seconds": time.monotonic() - start,
        "operations": int(told) if told else None,
    }


def _command(request: dict[str, Any], told: int) -> None:
    """Run one command line in this process, which is the child, and end with its exit code."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    count = _watch(Path(request["out"]), request.get("operation"))
    sys.argv = ["hodograph", *request["arguments"]]
    code = 0
    try:
        from hodograph.cli import main

        main()
    except SystemExit as end:
        code = int(end.code or 0)
    sys.stdout.flush()
    os.write(told, str(count[0]).encode())
    os._exit(code)


def _watch(out: Path, fatal: int | None) -> list[int]:
    """Count operations on files in a folder, and die before the fatal one."""
    count, place = [0], str(out)

    def on_event(event: str, arguments: tuple[Any, ...]) -> None:
        if event in OPERATIONS and str(arguments[0]).startswith(place):
            if count[0] == fatal:
                os.kill(os.getpid(), signal.SIGKILL)
            count[0] += 1

    sys.addaudithook(on_event)
    return count


def _wait_for_workers(session: int) -> None:
    """Wait until the processes that the killed one started have ended by themselves."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            os.killpg(session, 0)
        except ProcessLookupError:
            return
        time.sleep(0.01)
    raise TimeoutError("a killed command left workers behind")


if __name__ == "__main__":
    serve()
