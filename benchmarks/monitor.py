"""What the monitor costs beside training, at its default interval.

`python benchmarks/monitor.py`: SFT of the miniature, and of SmolLM2-135M where `make smollm2` has
exported it. CPU time on one thread: of a step (median), and of a look once it compares with earlier
ones; the share is a look over 50 steps.
"""

import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from transformers import TrainerCallback

from harness import machine, table
from hodograph import Monitor
from hodograph.monitor.callback import EVERY
from hodograph.processes import one_thread
from hodograph.recipes import Recipe, load_recipe
from hodograph.training.assembly import build_trainer, open_parts
from hodograph.training.folder import RunFolder

EXAMPLES = Path(__file__).parents[1] / "examples"
SMOLLM2 = EXAMPLES.parent / "runs/smollm2/instruct"


class Steps(TrainerCallback):
    """CPU time of every step, and of the monitor's look after it."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self._start = 0.0

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        """Start the clock."""
        self._start = time.process_time()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """Stop it."""
        self.times.append(time.process_time() - self._start)


class TimedMonitor(Monitor):
    """The monitor, with the CPU time of each look."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.times: list[float] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Look, if it is time to, on the clock."""
        start = time.process_time()
        super().on_step_end(args, state, control, **kwargs)
        if self._due(state.global_step):
            self.times.append(time.process_time() - start)


def row(name: str, recipe: Recipe, layers: Any) -> list[str]:
    """Train a few steps with a look after every second, and tell what each costs."""
    steps, monitor = Steps(), TimedMonitor(every=2, layers=layers)
    with TemporaryDirectory() as folder, one_thread():
        trainer = build_trainer(recipe, RunFolder(Path(folder)), open_parts(recipe))
        trainer.add_callback(steps)
        trainer.add_callback(monitor)
        trainer.train()
    step, look = statistics.median(steps.times[1:]), statistics.median(monitor.times[2:])
    matrices = sum(len(live.blocks) for live in monitor._live)
    share = look / (EVERY * step)
    return [name, str(layers), str(matrices), f"{step:.2f}", f"{look:.2f}", f"{100 * share:.1f} %"]


def main() -> None:
    """Print the table."""
    print(f"Machine: {machine()}.\n")
    recipes = {"miniature": load_recipe(EXAMPLES / "recipes/chain_base.toml", {"steps": "16"})}
    if SMOLLM2.is_dir():
        recipes["SmolLM2-135M"] = load_recipe(EXAMPLES / "smollm2/sft.toml", {"steps": "8"})
    rows = [row(name, recipe, layers) for name, recipe in recipes.items() for layers in (4, "all")]
    headings = ["SFT of", "layers", "matrices", "step, s", "look, s", f"look over {EVERY} steps"]
    print(table(headings, rows))


if __name__ == "__main__":
    main()
