"""Tiny recipes trained by real processes under DDP and FSDP2, for what one process must equal.

accelerate shards models on accelerators only. `on_cpu` has it take gloo for one, so that the code
that trains on GPUs runs here, with the same sharding.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import torch
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.utils.launch import prepare_multi_gpu_env

from accelerate import DistributedType, PartialState
from hodograph.errors import HodographError
from hodograph.recipes import Recipe, merged
from hodograph.tasks import open_task
from hodograph.training import train
from hodograph.training.recorder import Recorder
from hodograph.world import World, join
from planted.runs import tiny_recipe

COIN = {"reward": "random"}
# gradients are far below eps, so that AdamW's step is linear in them and amplifies no rounding
LINEAR = {"steps": 3, "optimizer": {"lr": 1.0, "eps": 1.0, "max_grad_norm": 0.5}}
CONFIGS = Path(__file__).parents[2] / "examples/accelerate"


def switches(engine: str) -> dict[str, str]:
    """FSDP's variables that `accelerate launch` sets for one of the repository's configs."""
    file = str(CONFIGS / f"{engine}.yaml")
    given = launch_command_parser().parse_args(["--config_file", file, "script.py"])
    launched = prepare_multi_gpu_env(_validate_launch_command(given)[0])
    return {name: value for name, value in launched.items() if "FSDP" in name}


def recipes(models: Path) -> dict[str, Recipe]:
    """Recipes that cover objectives and interventions; the answers are given, so equal anywhere.

    `models` holds a teacher; the answers are written there too.
    """
    teacher = {"type": "path", "path": str(models / "teacher")}
    given = {"rollout": {"type": "file", "path": str(models / "answers.jsonl")}}
    own = {"basis": {"type": "own", "rank": 2}, "at_step": 1, "mode": "update"}
    drawn = {"basis": {"type": "random", "rank": 2}}
    changes: dict[str, Any] = {
        "sft": {
            "batch": {"accumulation": 2, "gradient_checkpointing": True},
            "subspace": own,
            "save": {"steps": [1, 2]},
            "evaluation": {"prompts": 6, "samples": 2},
        },
        "opd": given
        | {
            "objective": {"type": "opd"},
            "teacher": teacher,
            "selection": {"type": "random", "rho": 0.5},
            "adapter": {"type": "lora", "rank": 2, "init": "eva", "examples": 4},
            "stop": {"greedy_accuracy": 1.0, "every": 1, "prompts": 4},
        },
        "rlvr": given
        | {
            "objective": {"type": "rlvr", "scale_rewards": "batch", **COIN},
            "subspace": drawn | {"mode": "adam_in_subspace", "at_step": 1},
            "batch": {"accumulation": 2},
        },
        "mix": given
        | {
            "objective": {"type": "mix", "alpha": 0.4, "normalise": "batch", **COIN},
            "teacher": teacher,
        },
        "full_kl": given
        | {
            "objective": {"type": "opd", "kl": "full_reverse"},
            "teacher": teacher,
            "batch": {"accumulation": 2},
            "subspace": drawn,
        },
    }
    return {name: tiny_recipe(merged(LINEAR, change)) for name, change in changes.items()}


def sampled(models: Path) -> Recipe:
    """A recipe whose answers are drawn while it trains, with every intervention that draws."""
    return tiny_recipe(
        {
            "steps": 3,
            "objective": {"type": "mix", "alpha": 0.4, "zero_variance": "resample", **COIN},
            "teacher": {"type": "path", "path": str(models / "teacher")},
            "rollout": {"type": "mixture", "teacher_share": 0.5, "behaviour": "teacher"},
            "selection": {"type": "random", "rho": 0.5},
            "batch": {"prompts": 4, "group_size": 2},
            "save": {"steps": [1]},
        }
    )


def plant(models: Path) -> None:
    """Train a teacher, and write answers to every prompt of `recipes`."""
    train(teacher(), models / "teacher")
    write_answers(models)


def teacher() -> Recipe:
    """The recipe of a teacher that is wider than the students."""
    student = {"hidden_size": 24, "initializer_range": 0.2}
    return tiny_recipe({"student": student, "steps": 1, "seed": 5})


def write_answers(models: Path) -> None:
    """Write answers of random digits to every prompt of `recipes`."""
    recipe, random = tiny_recipe(LINEAR), Random(0)
    examples = open_task(recipe.task).training(recipe.seed, recipe.steps * recipe.batch.prompts)
    with (models / "answers.jsonl").open("w") as file:
        for example in examples:
            for _ in range(recipe.batch.group_size):
                ids = [random.randrange(10) for _ in range(random.randint(1, 6))]
                file.write(json.dumps({"prompt": example.prompt, "completion_ids": ids}) + "\n")


def work(rank: int, count: int, out: Path, models: Path) -> None:
    """One process's part: every recipe under both engines, then what must fail together."""
    for name, value in (("RANK", rank), ("WORLD_SIZE", count)):
        os.environ |= {name: str(value), f"LOCAL_{name}": str(value)}  # as a launcher does
    for name, recipe in recipes(models).items():
        train(recipe, out / "ddp" / name)
    train(sampled(models), out / "ddp/sampled")
    _break_off_and_resume(sampled(models), out / "ddp/sampled_resumed")
    said = {
        "a model that one process cannot read": _said(tiny_recipe(_missing(rank)), out / "no"),
        "prompts that do not divide": _said(tiny_recipe(_uneven()), out / "no"),
        "what one process alone finds": _together(join()),
    }
    with on_cpu():
        spread = recipes(models)
        coordinates = spread.pop("rlvr")
        for name, recipe in spread.items():
            train(recipe, out / "fsdp2" / name)
        _break_off_and_resume(spread["sft"], out / "fsdp2/sft_resumed")
        train(sampled(models), out / "fsdp2" / "sampled")
        said["coordinates of sharded weights"] = _said(coordinates, out / "coordinates")
        watched = {"monitor": {"every": 1}, "steps": 1}
        said["a monitor of sharded weights"] = _said(tiny_recipe(watched), out / "watched")
    (out / f"said_{rank}.json").write_text(json.dumps(said))


@contextmanager
def on_cpu() -> Iterator[None]:
    """FSDP2 as its config starts it, with gloo in the place of an accelerator's backend."""
    chosen = switches("fsdp2") | {"ACCELERATE_TORCH_DEVICE": "cpu"}

    def backend(*_: Any, **__: Any) -> tuple[str, DistributedType]:
        return "gloo", DistributedType.MULTI_GPU

    with patch.dict(os.environ, chosen), patch.object(PartialState, "_prepare_backend", backend):
        PartialState._reset_state()
        yield
    PartialState._reset_state()


class _BrokenError(Exception):
    """Stands for a kill."""


def _break_off_and_resume(recipe: Recipe, out: Path) -> None:
    """Break off after step 2, which leaves step 1 as the last that was saved."""
    end = Recorder.on_step_end

    def ends(self: Recorder, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == 2:
            raise _BrokenError
        end(self, args, state, control, **kwargs)

    with patch.object(Recorder, "on_step_end", ends):
        try:
            train(recipe, out)
        except _BrokenError:
            torch.manual_seed(99)
    train(recipe, out)


def _missing(rank: int) -> dict[str, Any]:
    return {"student": {"type": "path", "path": "nowhere"}} if rank == 1 else {}


def _uneven() -> dict[str, Any]:
    return {"objective": {"type": "rlvr"}, "batch": {"prompts": 3, "group_size": 2}}


def _said(recipe: Recipe, out: Path) -> str:
    try:
        train(recipe, out)
    except HodographError as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _together(world: World) -> str:
    def fail() -> None:
        if world.rank == 1:
            raise OSError("no room")

    try:
        world.together(fail)
    except OSError as error:
        return str(error)
    return ""
