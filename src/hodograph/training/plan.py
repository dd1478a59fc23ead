"""What a recipe will need and take, from configurations alone: no weight is read."""

import time
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from hodograph.recipes import FileRollout, Recipe
from hodograph.tasks import open_task
from hodograph.training.data import token_lengths
from hodograph.training.launch import require_division
from hodograph.training.models import model_config, open_tokenizer, require_shared_vocabulary
from hodograph.training.plan_memory import SAMPLING, TURNS, Layout, memory_of
from hodograph.training.plan_model import EmptyModel
from hodograph.training.thinking import settle_thinking

PROBE_CPU, PROBE_GPU = 1024, 8192  # side of the matrices whose product is timed
TEACHER_SHARE = {"teacher": 1.0, "student": 0.0}  # of the completions, by type of rollout
EXAMPLES = 256  # of the task, to learn how long prompts and demonstrations are


@dataclass(frozen=True)
class TrainingPlan:
    """What is ahead.

    Attributes:
        student: parameters trained.
        teacher: parameters of the teacher; 0 without one.
        prompt: tokens of the longest prompt among the first examples.
        completion: tokens of the longest completion.
        memory: bytes by what they hold, on each device that trains.
        flops: floating-point operations of one step by what they do, over all devices.
        seconds: least time of a step: its operations at this machine's matrix-product speed, on
            as many devices; None where a GPU is planned for that is not here.
        steps: optimizer steps.
        layout: the devices that were planned for.
    """

    student: int
    teacher: int
    prompt: int
    completion: int
    memory: dict[str, int]
    flops: dict[str, float]
    seconds: float | None
    steps: int
    layout: Layout

    @property
    def peak(self) -> int:
        """Bytes at the largest moment: activations and the cache of sampling take turns."""
        fixed = sum(size for name, size in self.memory.items() if name not in TURNS)
        return fixed + max(self.memory.get(name, 0) for name in TURNS)


def plan_training(recipe: Recipe, layout: Layout | None = None) -> TrainingPlan:
    """Estimate a run. Models are built without weights, on torch's meta device.

    Activations are what autograd keeps of one micro-batch with the attention matrix written out,
    so an upper bound where a fused attention runs. Temporary buffers and the allocator's slack are
    not in it.

    Args:
        recipe: what would be trained.
        layout: the devices; one of this machine when None.

    Raises:
        SettingsError: no such task, the teacher's vocabulary differs from the student's, or the
            batch does not divide over the processes.
        CheckpointError: a model's configuration or tokenizer cannot be read.
    """
    layout = layout or Layout()
    require_division(recipe, layout.processes)
    tokenizer = open_tokenizer(recipe.student)
    settle_thinking(tokenizer, recipe.task)
    examples = open_task(recipe.task).training(recipe.seed, EXAMPLES)
    prompt, demonstration = token_lengths(examples, tokenizer)
    completion = recipe.sampling.max_completion_length if recipe.on_policy else demonstration
    student, teacher = EmptyModel(model_config(recipe.student), layout.on_gpu), None
    if recipe.teacher is not None:
        theirs = open_tokenizer(recipe.teacher)
        require_shared_vocabulary(tokenizer, theirs, recipe.teacher.place)
        teacher = EmptyModel(model_config(recipe.teacher), layout.on_gpu)
    memory = memory_of(recipe, layout, student, teacher, prompt + completion)
    if not _samples(recipe):
        memory.pop(SAMPLING, None)
    flops = _flops(recipe, layout, student, teacher, prompt + completion)
    return TrainingPlan(
        student=student.entries,
        teacher=0 if teacher is None else teacher.entries,
        prompt=prompt,
        completion=completion,
        memory=memory,
        flops=flops,
        seconds=_seconds(flops, layout),
        steps=recipe.steps,
        layout=layout,
    )


def _flops(
    recipe: Recipe, layout: Layout, student: EmptyModel, teacher: EmptyModel | None, length: int
) -> dict[str, float]:
    """Operations of one step: those of a micro-batch, as often as there is one."""
    parts = recipe.batch.accumulation * layout.processes
    own = student.passed(recipe.batch.sequences // parts, length)
    training = own.both + (own.forward if recipe.batch.gradient_checkpointing else 0)
    scoring = 0.0
    if teacher is not None:
        scoring = teacher.passed(recipe.batch.sequences // parts, length).forward
    share = TEACHER_SHARE.get(recipe.rollout.type, getattr(recipe.rollout, "teacher_share", 0.0))
    sampling = (1 - share) * own.forward + share * scoring if _samples(recipe) else 0.0
    work = {"training": training, "sampling": sampling, "scoring by the teacher": scoring}
    return {name: count * parts for name, count in work.items() if count}


def _samples(recipe: Recipe) -> bool:
    return recipe.on_policy and not isinstance(recipe.rollout, FileRollout)


def _seconds(flops: dict[str, float], layout: Layout) -> float | None:
    if layout.on_gpu and not torch.cuda.is_available():
        return None
    return sum(flops.values()) / _product_speed() / layout.processes


@cache
def _product_speed() -> float:
    """Operations a second of a matrix product in the precision that training computes in."""
    on_gpu = torch.cuda.is_available()
    side = PROBE_GPU if on_gpu else PROBE_CPU
    dtype, device = (torch.bfloat16, "cuda") if on_gpu else (torch.float32, "cpu")
    matrix = torch.randn(side, side, dtype=dtype, device=device)
    times = [_seconds_of_product(matrix) for _ in range(6)]
    return 2 * side**3 / min(times)  # the first loads libraries, others may share the machine


def _seconds_of_product(matrix: Tensor) -> float:
    start = time.perf_counter()
    float((matrix @ matrix)[0, 0])  # reading an entry waits for the device
    return time.perf_counter() - start
