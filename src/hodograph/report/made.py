"""Which command made what a page shows, and which one draws the page again."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Any

from hodograph.report.read import Study, Summary

HERE = "hodograph report ."


def study_made(study: Study) -> str:
    """Return the commands that study.json records; an older one records none."""
    if not study.command:
        return f"{HERE}  # in the folder of its page"
    return f"{study.command}  # drawn again by: {study.redraw}"


def measurement_made(summary: Summary) -> str:
    """Return what was measured as a command; paths between the first and the last are left out."""
    paths = list(dict.fromkeys(checkpoint.path for checkpoint in summary.checkpoints))
    texts = [] if summary.inputs is None else ["--inputs", quote(summary.inputs.source)]
    words = ["hodograph measure", *_ends([summary.base.path, *paths]), *texts]
    return _in_full([*words, "--scope", summary.scope], "summary.json")


def sweep_made(summary: dict[str, Any]) -> str:
    """Return what was swept as a command: several runs are run folders, one is its checkpoints."""
    runs = list(summary["runs"].values())
    paths = [str(Path(run["base"]).parents[1]) for run in runs]
    if len(runs) == 1:
        paths = [runs[0]["base"], *runs[0]["checkpoints"]]
    words = ["hodograph sweep", *map(quote, paths), "--scope", summary["scope"]]
    return _in_full(words, "sweep.json")


def _ends(paths: list[str]) -> list[str]:
    shown = [quote(path) for path in paths]
    return [*shown[:2], "…", shown[-1]] if len(shown) > 3 else shown


def _in_full(words: list[str], file: str) -> str:
    return f"{' '.join(words)}  # all settings: {file}; drawn again beside it by: {HERE}"
