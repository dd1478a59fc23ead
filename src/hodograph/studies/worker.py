"""What one worker process of a study does: train a run, or measure it."""

from multiprocessing.queues import Queue
from pathlib import Path

from hodograph.engine.settings import Settings
from hodograph.gates.settings import GatesSettings
from hodograph.recipes import Recipe

Message = tuple[str, int, int]
_messages: "Queue[Message] | None" = None


def start(messages: "Queue[Message]") -> None:
    """Prepare a worker process: keep the queue it reports to."""
    global _messages
    _messages = messages


def train_run(task: str, recipe: Recipe, folder: Path) -> None:
    """Train one run; a finished one returns at once."""
    from hodograph.training.run import train

    train(recipe, folder, on_step=lambda done, total: _tell(task, done, total))


def measure_run(
    task: str, checkpoints: list[Path], out: Path, settings: Settings, inputs: Path | None
) -> None:
    """Measure a run's trajectory from its first checkpoint, with or without its inputs."""
    from hodograph.measurement import measure

    base, *tuned = checkpoints
    measure(
        base,
        tuned,
        inputs=inputs,
        out=out,
        settings=settings,
        on_progress=lambda done, total, _: _tell(task, done, total),
    )


def gate_run(
    task: str, folder: Path, out: Path, teacher: Path | None, settings: GatesSettings
) -> None:
    """Measure the gates of a finished run."""
    from hodograph.gates.measure import measure_gates

    measure_gates(
        folder,
        out=out,
        teacher=teacher,
        settings=settings,
        on_progress=lambda done, total, _: _tell(task, done, total),
    )


def _tell(task: str, done: int, total: int) -> None:
    if _messages is not None:
        _messages.put((task, done, total))
