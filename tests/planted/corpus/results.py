"""Folders of results that cannot be reported, placed or gone on with."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from planted.corpus import Bad
from planted.measurement import measurement_rows, write_measurement, write_study

ROWS = measurement_rows(layers=2, steps=(20, 40), storages=("float32",))
DEEP = "[" * 100_000 + "]" * 100_000
JSON: dict[str, str | bytes] = {
    "empty": "",
    "not JSON": "{",
    "not UTF-8": b'{"a": "\xff"}',
    "a list": "[]",
    "null": "null",
    "an empty object": "{}",
    "nested deeply": DEEP,
}
SUMMARIES: dict[str, Callable[[dict[str, Any]], object]] = {
    "no checkpoints": lambda summary: summary.pop("checkpoints"),
    "checkpoints text": lambda summary: summary.update(checkpoints="all"),
    "checkpoints empty": lambda summary: summary.update(checkpoints=[]),
    "a checkpoint text": lambda summary: summary.update(checkpoints=["last"]),
    "metrics a list": lambda summary: summary["checkpoints"][-1].update(metrics=[]),
    "metrics empty": lambda summary: summary["checkpoints"][-1].update(metrics={}),
    "base text": lambda summary: summary.update(base="W0"),
    "no base": lambda summary: summary.pop("base"),
    "scope null": lambda summary: summary.update(scope=None),
    "settings a list": lambda summary: summary.update(settings=[]),
    "another step": lambda summary: summary["checkpoints"][-1].update(step=41),
    "a step that is text": lambda summary: summary["checkpoints"][-1].update(step="last"),
    "a lock without a verdict": lambda summary: summary.update(lock={"float32": {}}),
}
ONLY_REPORTED = ("another step", "a lock without a verdict")
ONLY_PLACED = ("metrics empty",)


def measurements() -> Iterator[Bad]:
    """Every bad measurement folder."""
    for name, text in JSON.items():
        yield Bad("summary", name, _texted("summary.json", text))
    for name, change in SUMMARIES.items():
        yield Bad("summary", name, _edited("summary.json", change))
    for name, damage in TABLES.items():
        yield Bad("table", name, damage)


def studies() -> Iterator[Bad]:
    """Every bad study folder."""
    for name, text in JSON.items():
        yield Bad("study.json", name, _texted("study.json", text))
    for name, change in RECORDS.items():
        yield Bad("study.json", name, _edited("study.json", change))


def measured(folder: Path) -> Path:
    """A sound measurement, which cases damage copies of."""
    return write_measurement(folder, ROWS)


def studied(folder: Path) -> Path:
    """A sound study, which cases damage copies of."""
    return write_study(folder, arms=("sft",))


def _texted(name: str, text: str | bytes) -> Callable[[Path], object]:
    content = text.encode() if isinstance(text, str) else text
    return lambda folder: (folder / name).write_bytes(content)


def _edited(name: str, change: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    def damage(folder: Path) -> None:
        content = json.loads((folder / name).read_text())
        change(content)
        (folder / name).write_text(json.dumps(content))

    return damage


def _cut(share: float) -> Callable[[Path], object]:
    def damage(folder: Path) -> None:
        file = folder / "matrices.parquet"
        os.truncate(file, int(share * file.stat().st_size))

    return damage


def _table(**columns: list[Any]) -> Callable[[Path], object]:
    return lambda folder: pq.write_table(pa.table(columns), folder / "matrices.parquet")


def _instead(make: Callable[[Path], object]) -> Callable[[Path], object]:
    def damage(folder: Path) -> None:
        file = folder / "matrices.parquet"
        file.unlink()
        make(file)

    return damage


def _flipped(folder: Path) -> None:
    file = folder / "matrices.parquet"
    content = bytearray(file.read_bytes())
    content[len(content) // 3 : len(content) // 3 + 200] = bytes(200)
    content[-60:-8] = bytes(52)
    file.write_bytes(content)


TABLES: dict[str, Callable[[Path], object]] = {
    "cut to nothing": _cut(0),
    "cut in half": _cut(0.5),
    "cut at the end": _cut(0.999),
    "overwritten in places": _flipped,
    "text": _texted("matrices.parquet", "PAR1 but no table"),
    "gone": _instead(lambda file: None),
    "a folder": _instead(Path.mkdir),
    "a pipe": _instead(os.mkfifo),
    "a link to itself": _instead(lambda file: file.symlink_to(file)),
}

RECORDS: dict[str, Callable[[dict[str, Any]], object]] = {
    "no runs": lambda study: study.pop("runs"),
    "runs text": lambda study: study.update(runs="all"),
    "a run null": lambda study: study.update(runs=[None]),
    "a measurement that is not there": lambda s: s["runs"][-1].update(measurement="nowhere"),
    "a measurement outside": lambda s: s["runs"][-1].update(measurement="../../../../etc"),
    "an absolute measurement": lambda s: s["runs"][-1].update(measurement="/etc"),
    "a role nobody has": lambda s: s["runs"][-1].update(role="control"),
    "seeds text": lambda study: study.update(seeds="all"),
}
