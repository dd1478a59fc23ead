"""`hodograph merge`: the parts of all shards in, table, summary and page out."""

from pathlib import Path

from hodograph.cli.printed import print_measurement
from hodograph.cli.terminal import Terminal
from hodograph.cli.written import render_at
from hodograph.sharding import merge as merge_shards


def merge(folder: Path) -> None:
    """Make table, summary and page of a measurement whose shards have all ended.

    Bitwise the result of `hodograph measure` without --shard.

    Parameters
    ----------
    folder
        What `hodograph measure --shard I/N --out` was given: a folder, or a URL.
    """
    terminal = Terminal()
    with Terminal(stderr=True).status("merging"):
        measurement = merge_shards(folder)
    print_measurement(terminal, measurement, render_at(folder))
