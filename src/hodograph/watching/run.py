"""One run as its folder shows it at this moment."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from hodograph.errors import StorageError

Line = dict[str, float]


@dataclass(frozen=True)
class RunView:
    """What a run has written so far.

    Attributes:
        name: of the recipe.
        objective: "sft", "opd", "rlvr".
        steps: of the recipe; the cap where it stops early.
        lines: metrics, one a step, in order.
        evaluations: accuracies, in order.
        finished: whether finished.json is there.
        started: when each of its processes began, in seconds since 1970.
        written: when its metrics last grew, None before the first line.
    """

    name: str
    objective: str
    steps: int
    lines: Sequence[Line]
    evaluations: Sequence[Line]
    finished: bool
    started: Sequence[float] = field(default=())
    written: float | None = None

    @property
    def step(self) -> int:
        """Steps done."""
        return int(self.lines[-1]["step"]) if self.lines else 0

    @cached_property
    def series(self) -> dict[str, list[tuple[int, float]]]:
        """Every metric as (step, value) pairs, in the order the metrics first appear."""
        found: dict[str, list[tuple[int, float]]] = {}
        for line in self.lines:
            for name, value in line.items():
                if name != "step":
                    found.setdefault(name, []).append((int(line["step"]), value))
        return found

    @property
    def seconds_a_step(self) -> float | None:
        """From its start to its last line, over its steps; unknown where it was resumed."""
        if len(self.started) != 1 or self.written is None or self.step == 0:
            return None
        return max(0.0, self.written - self.started[0]) / self.step


def read_run(folder: Path) -> RunView:
    """Read a run folder, also while the run writes it.

    Raises:
        StorageError: no run is there, or one of its files is damaged.
    """
    recipe = _json(folder / "recipe.json")
    metrics = folder / "metrics.jsonl"
    provenance = folder / "provenance.json"
    evaluations = folder / "evaluations.json"
    started = _json(provenance)["started"] if provenance.exists() else []
    return RunView(
        name=recipe["name"],
        objective=recipe["objective"]["type"],
        steps=recipe["steps"],
        lines=_lines(metrics) if metrics.exists() else [],
        evaluations=_json(evaluations) if evaluations.exists() else [],
        finished=(folder / "finished.json").exists(),
        started=[datetime.fromisoformat(time).timestamp() for time in started],
        written=metrics.stat().st_mtime if metrics.exists() else None,
    )


def _lines(path: Path) -> list[Line]:
    """Whole lines; the last may be half written, and is left for the next look."""
    whole = path.read_text(encoding="utf-8").rpartition("\n")[0]
    lines: list[Line] = []
    for number, text in enumerate(whole.splitlines(), start=1):
        try:
            lines.append(json.loads(text))
        except (ValueError, RecursionError) as error:
            raise StorageError(f"{path}, line {number}: damaged: {error}.") from None
    return lines


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise StorageError(f"{path} cannot be read: {reason}.") from None
