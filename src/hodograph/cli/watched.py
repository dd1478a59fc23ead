"""What `hodograph watch` draws: a run with its metrics as sparklines, or a row a run of a study."""

import time
from collections.abc import Sequence
from statistics import fmean

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from hodograph.watching import RunView, StudyView, View

BARS = "▁▂▃▄▅▆▇█"
WIDTH = 40
SILENT = 120.0  # seconds without a line after which that is said
SHOWN = ("loss", "lr", "grad_norm", "reward/mean", "reward/random", "opd/reverse_kl",
         "token_accuracy", "greedy_accuracy", "entropy", "completion/length",
         "completion/truncated", "geometry/update_sparsity", "geometry/relative_norm",
         "geometry/kappa", "geometry/stable_rank", "geometry/sim16_previous",
         "geometry/locked")  # fmt: skip


class Pace:
    """Time left, by the speed seen since watching began, else by the run's own start."""

    def __init__(self) -> None:
        self._first: dict[str, tuple[float, int]] = {}

    def left(self, key: str, run: RunView) -> float | None:
        """Seconds until the last step; None where no speed is known yet."""
        if run.written is None or run.finished:
            return None
        at, step = self._first.setdefault(key, (run.written, run.step))
        if run.step > step and run.written > at:
            return (run.steps - run.step) * (run.written - at) / (run.step - step)
        pace = run.seconds_a_step
        return None if pace is None else (run.steps - run.step) * pace


def drawn(view: View, pace: Pace) -> RenderableType:
    """What the terminal shows of a run or a study."""
    return _study(view, pace) if isinstance(view, StudyView) else _run(view, pace)


def sparkline(points: Sequence[tuple[int, float]], last: int, width: int = WIDTH) -> str:
    """Means over equal parts of steps 1 to `last` as bars, the least the lowest.

    A part without a value is a space; a metric that does not change is a line of low bars.
    """
    size = -(-last // width)
    parts: dict[int, list[float]] = {}
    for step, value in points:
        parts.setdefault((step - 1) // size, []).append(value)
    means = {part: fmean(values) for part, values in parts.items()}
    low, span = min(means.values()), max(means.values()) - min(means.values())
    heights = {
        part: round((mean - low) / span * (len(BARS) - 1)) if span else 0
        for part, mean in means.items()
    }
    return "".join(BARS[heights[i]] if i in heights else " " for i in range(max(means) + 1))


def estimates(entry: dict[str, float]) -> str:
    """avg@k and pass@k of an evaluation, with their standard errors; empty where it has none."""
    names = [name for name in entry if f"{name}_standard_error" in entry]
    return "".join(
        f", {name} {entry[name]:.3f} ± {entry[f'{name}_standard_error']:.3f}" for name in names
    )


def duration(seconds: float | None) -> str:
    """Hours, minutes and seconds; a dash where unknown."""
    if seconds is None:
        return "-"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


def _run(run: RunView, pace: Pace) -> RenderableType:
    head = Table.grid(padding=(0, 2))
    bar = ProgressBar(total=run.steps, completed=run.step, width=WIDTH)
    left = "" if run.finished else f"left {duration(pace.left(run.name, run))}"
    head.add_row(f"{run.name} ({run.objective})", bar, f"step {run.step} of {run.steps}", left)
    table = Table(box=None, pad_edge=False)
    table.add_column("metric")
    table.add_column("last", justify="right")
    table.add_column("first to last step")
    for name in (name for name in SHOWN if name in run.series):
        points = run.series[name]
        table.add_row(name, f"{points[-1][1]:.4g}", sparkline(points, run.step))
    parts: list[RenderableType] = [head, table] if table.rows else [head]
    parts += [Text(_evaluated(entry)) for entry in run.evaluations[-3:]]
    return Group(*parts, Text(_state(run)))


def _study(study: StudyView, pace: Pace) -> RenderableType:
    table = Table(box=None, pad_edge=False)
    table.add_column("run", no_wrap=True, min_width=max(map(len, study.runs), default=0))
    for name in ("step", "left", "loss", "reward", "reverse KL", "accuracy", ""):
        table.add_column(name, justify="right")
    for key, run in study.runs.items():
        cells = [_last(run, m) for m in ("loss", "reward/mean", "opd/reverse_kl")]
        accuracy = f"{run.evaluations[-1]['accuracy']:.3f}" if run.evaluations else "-"
        left = duration(pace.left(key, run))
        table.add_row(key, f"{run.step}/{run.steps}", left, *cells, accuracy, _state(run))
    failed = [Text(f"failed: {task}: {why}") for task, why in study.failures.items()]
    running = "" if study.finished else "runs that have begun; others may follow"
    return Group(table, *failed, Text(running))


def _last(run: RunView, name: str) -> str:
    return f"{run.series[name][-1][1]:.4g}" if name in run.series else "-"


def _state(run: RunView) -> str:
    if run.finished:
        return "finished"
    if run.written is None:
        return "starting"
    silent = time.time() - run.written
    return f"no new line for {duration(silent)}" if silent > SILENT else "running"


def _evaluated(entry: dict[str, float]) -> str:
    text = f"step {entry['step']}: accuracy {entry['accuracy']:.3f} ± {entry['standard_error']:.3f}"
    return f"{text}, greedy {entry['greedy_accuracy']:.3f}{estimates(entry)}"
