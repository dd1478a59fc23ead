"""`hodograph diff`: whether two checkpoints hold the same weights, and where not."""

import json
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.table import Table

from hodograph.cli.progress import entries_bar
from hodograph.cli.terminal import Terminal
from hodograph.difference import Difference, TensorPair, difference

IDENTICAL = 1  # exit code with --fail-if-identical
SHOWN = 20


def diff(
    a: Path,
    b: Path,
    *,
    dequantise: Annotated[bool, Parameter(negative="")] = False,
    fail_if_identical: Annotated[bool, Parameter(negative="")] = False,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Say what differs between checkpoints A and B: values, dtypes, shapes, tensors, ties.

    Every weight is read once and nothing is factored. The exit code is 0, whether or not they
    differ; 2 on an error.

    Parameters
    ----------
    a
        A checkpoint, as `hodograph measure` takes it.
    b
        Another.
    dequantise
        Compare FP8 weights as codes times scales.
    fail_if_identical
        End with exit code 1 if nothing differs: for the tests of whoever exports models.
    as_json
        Print one JSON document instead.
    """
    with entries_bar("comparing") as on_progress:
        found = difference(a, b, dequantise=dequantise, on_progress=on_progress)
    if as_json:
        print(json.dumps(found.record(), indent=2))
    else:
        print_difference(Terminal(), found)
    if fail_if_identical and found.identical:
        sys.exit(IDENTICAL)


def print_difference(terminal: Terminal, found: Difference) -> None:
    """Print the verdict, the tensors that differ, those without a partner, surprising ties."""
    terminal.print(_verdict(found), highlight=False, soft_wrap=True)
    if found.differing:
        terminal.print(_table(found.differing[:SHOWN]))
    if len(found.differing) > SHOWN:
        terminal.print(f"and {len(found.differing) - SHOWN} more; --json lists them")
    for letter, names in (("A", found.only_a), ("B", found.only_b)):
        for name in names[:SHOWN]:
            terminal.print(f"only in {letter}: {name}", highlight=False, soft_wrap=True)
        if len(names) > SHOWN:
            terminal.print(f"and {len(names) - SHOWN} more only in {letter}; --json lists them")
    for surprise in found.ties:
        terminal.print(f"tied weights: {surprise}", style="yellow", highlight=False, soft_wrap=True)


def _verdict(found: Difference) -> str:
    if found.identical:
        tensors = f"{len(found.tensors)} tensors, {found.weights} weights"
        return f"identical: {tensors}, no difference in value, dtype or shape"
    visible = f"{found.visible} visibly in bfloat16" if found.changed else "none visibly"
    return (
        f"different: {len(found.differing)} of {len(found.tensors)} shared tensors;"
        f" {found.changed} of {found.weights} weights changed, {visible}"
    )


def _table(pairs: list[TensorPair]) -> Table:
    table = Table("tensor", box=None, pad_edge=False)
    table.columns[0].overflow = "fold"
    for heading in ("weights", "changed", "visible", "dtype", "shape"):
        table.add_column(heading, justify="right")
    for pair in pairs:
        counts = ["" if one is None else str(one) for one in (pair.changed, pair.visible)]
        table.add_row(pair.name, str(pair.entries), *counts, _dtypes(pair), _shapes(pair))
    return table


def _dtypes(pair: TensorPair) -> str:
    return " > ".join(dict.fromkeys(pair.dtypes))


def _shapes(pair: TensorPair) -> str:
    return " > ".join(" x ".join(map(str, shape)) for shape in dict.fromkeys(pair.shapes))
