"""`hodograph inspect`: what is in a checkpoint, from headers alone."""

import json
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.filesize import decimal
from rich.table import Table

from hodograph.cli.terminal import Terminal
from hodograph.inspection import Inspection, Module, Scoped
from hodograph.inspection import inspect as inspect_checkpoint
from hodograph.matrices.ties import Ties

SHOWN = 10


def inspect(
    checkpoint: Path,
    *,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Say what is in CHECKPOINT, and what `hodograph measure` would take of it.

    No weight is read.

    Parameters
    ----------
    checkpoint
        What `hodograph measure` takes, or the same with quantised weights.
    as_json
        Print one JSON document instead, with every skipped tensor and its reason.
    """
    found = inspect_checkpoint(checkpoint)
    if as_json:
        print(json.dumps(found.record(), indent=2))
    else:
        print_inspection(Terminal(), found)


def print_inspection(terminal: Terminal, found: Inspection) -> None:
    """Print the head, the modules found by naming, and every scope."""
    for label, value in _head(found):
        terminal.print(f"{label}: {value}", highlight=False, soft_wrap=True)
    terminal.print(_modules(found.modules))
    terminal.print(_scopes(found.scopes))
    for name, reason in _skipped(found).items():
        terminal.print(f"skipped: {name}: {reason}", highlight=False, soft_wrap=True)
    if (more := len(_all_skipped(found)) - SHOWN) > 0:
        terminal.print(f"and {more} more skipped; --json lists them")


def _head(found: Inspection) -> list[tuple[str, str]]:
    total = found.total
    dtypes = ", ".join(
        f"{dtype} ({one.tensors} tensors, {one.entries} weights)"
        for dtype, one in found.contents.items()
    )
    return [
        ("checkpoint", found.path),
        ("files", f"{len(found.files)}, {decimal(sum(found.files.values()))}"),
        ("tensors", f"{total.tensors}, {total.entries} weights"),
        ("stored as", dtypes),
        ("architecture", found.architecture or "config.json does not tell"),
        ("layers", str(found.layers) if found.layers else "none found by naming"),
        ("step", "not recorded" if found.step is None else str(found.step)),
        ("quantisation", found.quantisation or "none"),
        ("tied weights", _ties(found.ties)),
    ]


def _ties(ties: Ties) -> str:
    declared = {True: "declared tied", False: "declared not tied", None: "not declared"}
    stored = "both stored" if ties.both else f"stored: {ties.embedding or ties.head or 'neither'}"
    return f"head and embedding {declared[ties.declared]}, {stored}"


def _modules(modules: dict[str, Module]) -> Table:
    table = Table("module", box=None, pad_edge=False)
    for heading in ("layers", "experts", "tensors", "weights", "stored shapes"):
        table.add_column(heading, justify="right")
    for name, one in modules.items():
        counts = (one.layers or "", one.experts or "", one.tensors, one.entries)
        shapes = [" x ".join(map(str, shape)) or "scalar" for shape in one.shapes[:3]]
        more = [f"and {len(one.shapes) - 3} more"] if len(one.shapes) > 3 else []
        table.add_row(name, *map(str, counts), ", ".join(shapes + more))
    return table


def _scopes(scopes: dict[str, Scoped]) -> Table:
    table = Table("measured with", box=None, pad_edge=False)
    for heading in ("matrices", "weights", "skipped"):
        table.add_column(heading, justify="right")
    table.add_column("refused", overflow="fold")
    for scope, one in scopes.items():
        counts = map(str, (one.matrices, one.entries, len(one.skipped)))
        table.add_row(f"--scope {scope}", *counts, one.refused or "")
    return table


def _all_skipped(found: Inspection) -> dict[str, str]:
    """Skipped tensors of every scope, once."""
    return {name: why for scope in found.scopes.values() for name, why in scope.skipped.items()}


def _skipped(found: Inspection) -> dict[str, str]:
    return dict(list(_all_skipped(found).items())[:SHOWN])
