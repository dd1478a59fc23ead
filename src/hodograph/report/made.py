"""Which command made what a page shows, and which one draws the page again."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Any

from hodograph.report.read import Study, Summary

HERE = "hodograph report ."


def study_made(study: Study) -> str:
    """Return the commands that study.json records."""
    return f"{study.command}  # drawn again by: {study.redraw}"


def measurement_made(summary: Summary) -> str:
    """Return what was measured as a command; paths between the first and the last are left out."""
    paths = list(dict.fromkeys(checkpoint.path for checkpoint in summary.checkpoints))
    texts = [] if summary.inputs is None else ["--inputs", quote(summary.inputs.source)]
    words = ["hodograph measure", *_ends([summary.base.path, *paths]), *texts]
    return _in_full(" ".join([*words, "--scope", summary.scope]), "summary.json")


def sweep_made(summary: dict[str, Any]) -> str:
    """Return what was swept as commands: of several run folders, else each run's checkpoints."""
    runs = list(summary["runs"].values())
    places = [Path(run["base"]).parent for run in runs]
    asked = [[run["base"], *run["checkpoints"]] for run in runs]
    if len(runs) > 1 and all(place.name == "checkpoints" for place in places):
        asked = [[str(place.parent) for place in places]]
    commands = [
        f"hodograph sweep {' '.join(map(quote, paths))} --scope {summary['scope']}"
        for paths in asked
    ]
    return _in_full("; ".join(commands), "sweep.json")


def _ends(paths: list[str]) -> list[str]:
    shown = [quote(path) for path in paths]
    return [*shown[:2], "…", shown[-1]] if len(shown) > 3 else shown


def _in_full(command: str, file: str) -> str:
    return f"{command}  # all settings: {file}; drawn again beside it by: {HERE}"
