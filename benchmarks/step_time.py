"""CPU time of a training step: our trainer, TRL's own, and plain loops, on the miniature's sizes.

Run with `python benchmarks/step_time.py` (about three minutes on one core); --help tells the rest.
Every contestant trains the same random student (hidden 128, 3 layers) on 8 prompts x 8 answers of
14 tokens; a teacher has hidden 160 and 4 layers. Rounds take turns; medians over their steps.
"""

import argparse
import importlib.util
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import torch
from transformers import PrinterCallback, TrainerCallback
from trl import GRPOTrainer

from harness import machine, table
from hodograph.processes import one_thread
from hodograph.recipes import Recipe, parse_recipe
from hodograph.training.assembly import Parts, build_trainer, open_parts
from hodograph.training.data import prompt_dataset, reward_functions
from hodograph.training.evaluation import eos_ids
from hodograph.training.folder import RunFolder
from hodograph.training.models import open_model
from hodograph.training.quiet import without_noise
from hodograph.training.saving import save_model
from hodograph.training.settings import grpo_config

SIZE = {"type": "qwen3", "heads": 4, "kv_heads": 2}
STUDENT = SIZE | {"hidden_size": 128, "layers": 3, "head_dim": 32, "intermediate_size": 256}
TEACHER = SIZE | {"hidden_size": 160, "layers": 4, "head_dim": 40, "intermediate_size": 320}
COIN = {"objective": {"type": "rlvr", "reward": "random"}}
PLAIN = COIN | {"objective": COIN["objective"] | {"zero_variance": "keep"}}
SEQUENCES, LENGTH = 64, 14  # answers a step, and tokens of each at most
TOKENS = SEQUENCES * LENGTH
Steps = Callable[[int], list[float]]  # a number of steps to the CPU seconds of each


def recipe(steps: int, changes: dict[str, Any]) -> Recipe:
    """A recipe on the miniature's sizes, with `changes`."""
    base = {
        "name": "bench",
        "steps": steps,
        "student": STUDENT,
        "objective": {"type": "opd"},
        "task": {"type": "chain"},
        "batch": {"prompts": SEQUENCES // 8, "group_size": 8},
        "optimizer": {"lr": 2e-5},
        "sampling": {"max_completion_length": LENGTH},
    }
    return parse_recipe(base | changes, "step_time")


class Clock(TrainerCallback):
    """Notes the CPU time at the end of every step."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """Note the time."""
        self.ends.append(time.process_time())


def timed(trainer: Any) -> list[float]:
    """Train, and return the CPU seconds of each step but the first."""
    clock = Clock()
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(clock)
    trainer.train()
    return [end - start for start, end in zip(clock.ends, clock.ends[1:], strict=False)]


def ours(changes: dict[str, Any]) -> Steps:
    """Our trainer on a recipe."""

    def run(steps: int) -> list[float]:
        settings = recipe(steps + 1, changes)
        with tempfile.TemporaryDirectory() as folder:
            return timed(build_trainer(settings, RunFolder(Path(folder)), open_parts(settings)))

    return run


def trls(steps: int) -> list[float]:
    """TRL's GRPOTrainer, unmodified, on the settings of our rlvr."""
    settings = recipe(steps + 1, PLAIN)
    parts: Parts = open_parts(settings)
    examples = parts.task.training(settings.seed, settings.steps * settings.batch.prompts)
    with tempfile.TemporaryDirectory() as folder:
        trainer = GRPOTrainer(
            model=parts.model,
            args=grpo_config(settings, Path(folder)),
            train_dataset=prompt_dataset(examples),
            reward_funcs=reward_functions(
                settings, parts.task, examples, eos_ids(parts.model, parts.tokenizer)
            ),
            processing_class=parts.tokenizer,
        )
        return timed(trainer)


def plain_loop(minimal: ModuleType, teacher_changes: dict[str, Any], cached: bool) -> Steps:
    """The loop of examples/minimal_opd.py; `cached` samples with transformers' `generate`."""

    def sample(student: Any, prompts_BP: torch.Tensor) -> torch.Tensor:
        if not cached:
            return minimal.sample(student, prompts_BP)
        with torch.no_grad():
            return student.generate(
                input_ids=prompts_BP, do_sample=True, top_k=0, max_new_tokens=LENGTH
            )

    def run(steps: int) -> list[float]:
        parts = open_parts(recipe(steps, teacher_changes))
        student, teacher = parts.model, parts.teacher
        optimizer = torch.optim.AdamW(student.parameters(), lr=2e-5, weight_decay=0)
        random, taken = Random(0), []
        for _ in range(steps + 1):
            start = time.process_time()
            prompts_BP = minimal.problems(random, 8)[0].repeat_interleave(8, dim=0)
            minimal.distill(student, teacher, optimizer, sample(student, prompts_BP), 16)
            taken.append(time.process_time() - start)
        return taken[1:]

    return run


def teacher_forward(changes: dict[str, Any]) -> Steps:
    """One forward pass of the teacher over the batch."""

    def run(steps: int) -> list[float]:
        teacher, taken = open_parts(recipe(1, changes)).teacher, []
        ids = torch.randint(1, 20, (64, 30), generator=torch.Generator().manual_seed(0))
        for _ in range(steps + 1):
            start = time.process_time()
            with torch.no_grad():
                teacher(input_ids=ids)
            taken.append(time.process_time() - start)
        return taken[1:]

    return run


def rollout(steps: int) -> list[float]:
    """The student's answers alone, by transformers' `generate`."""
    student, taken = open_parts(recipe(1, COIN)).model, []
    ids = torch.randint(1, 20, (SEQUENCES, 16), generator=torch.Generator().manual_seed(0))
    for _ in range(steps + 1):
        start = time.process_time()
        with torch.no_grad():
            student.generate(input_ids=ids, do_sample=True, top_k=0, max_new_tokens=LENGTH)
        taken.append(time.process_time() - start)
    return taken[1:]


def minimal_module() -> ModuleType:
    """examples/minimal_opd.py as a module."""
    path = Path(__file__).parents[1] / "examples/minimal_opd.py"
    spec: Any = importlib.util.spec_from_file_location("minimal_opd", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def saved_teacher(folder: Path) -> dict[str, Any]:
    """Settings of a random teacher written to `folder`."""
    settings = recipe(1, {"student": TEACHER} | COIN)
    parts = open_parts(settings)
    folder.mkdir()
    save_model(open_model(settings.student, 1), parts.tokenizer, folder, "float32")
    return {"teacher": {"type": "path", "path": str(folder)}}


def contestants(teacher: dict[str, Any]) -> dict[str, Steps]:
    """Who is timed."""
    minimal = minimal_module()
    selected = {"selection": {"type": "largest_gap", "rho": 0.25}}
    off_policy = {"rollout": {"type": "teacher"}}
    full = {"objective": {"type": "opd", "kl": "full_reverse"}}
    mix = {"objective": {"type": "mix", "alpha": 0.5, "reward": "random"}}
    return {
        "plain loop, opd": plain_loop(minimal, teacher, cached=True),
        "plain loop, its own sampler": plain_loop(minimal, teacher, cached=False),
        "GRPOTrainer": trls,
        "hodograph, rlvr": ours(PLAIN),
        "the teacher's forward": teacher_forward(teacher),
        "the rollout": rollout,
        "hodograph, opd": ours(teacher),
        "hodograph, opd, largest gaps": ours(teacher | selected),
        "hodograph, opd, teacher answers": ours(teacher | off_policy),
        "hodograph, opd, full reverse KL": ours(teacher | full),
        "hodograph, mix": ours(teacher | mix),
    }


def main() -> None:
    """Time them in turns and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--steps", type=int, default=15)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, one_thread(), without_noise():
        runs = contestants(saved_teacher(Path(folder) / "teacher"))
        taken: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(arguments.rounds):
            for name, run in runs.items():
                taken[name] += run(arguments.steps)
    medians = {name: statistics.median(times) for name, times in taken.items()}
    plain, trl = medians["plain loop, opd"], medians["GRPOTrainer"]
    print(f"{machine()}; medians of {arguments.rounds * arguments.steps} steps\n")
    rows = [
        [name, f"{1e3 * t:.0f}", f"{t / plain:.2f}", f"{t / trl:.2f}", f"{TOKENS / t:.0f}"]
        for name, t in medians.items()
    ]
    print(
        table(
            ["", "CPU ms a step", "x plain loop", "x GRPOTrainer", "answer tokens a second"], rows
        )
    )


if __name__ == "__main__":
    main()
