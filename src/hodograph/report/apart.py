"""Calls of `vector` in processes of their own, beside which this one goes on drawing.

They are programs started anew: neither forks, which engines with threads do not survive, nor
workers that import the caller's script.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib as mpl

from hodograph.machine import usable_cores

_SCRIPT = Path(__file__).with_name("vector.py")
_WORTH = 2  # drawings a process, which takes as long to start as one to convert


def pdfs(svgs: list[str]) -> list[bytes]:
    """SVG documents as PDF, shared out among the cores this process may use."""
    shares = max(1, min(usable_cores(), len(svgs) // _WORTH))
    fonts = str(Path(mpl.get_data_path()) / "fonts" / "ttf")
    dealt = [svgs[share::shares] for share in range(shares)]
    found: list[bytes] = [b""] * len(svgs)
    with ThreadPoolExecutor(shares) as pool:
        for share, part in enumerate(pool.map(lambda few: _apart("pdfs", few, fonts), dealt)):
            found[share::shares] = part
    return found


@cache
def library() -> str:
    """The explorer's library; it takes a second to bundle, once a process."""
    return _apart("library")


@contextmanager
def library_ahead() -> Iterator[None]:
    """Bundle the library while the block runs."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(library)
        yield


def _apart(name: str, *arguments: Any) -> Any:
    done = subprocess.run(
        [sys.executable, "-P", str(_SCRIPT)],
        input=pickle.dumps((name, arguments)),
        capture_output=True,
        check=False,
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise RuntimeError(f"vl-convert ended with {done.returncode} in {name}: {said}")
    return pickle.loads(done.stdout)
