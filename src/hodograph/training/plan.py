"""What a recipe will need and take, from configurations alone: no weight is read."""

from dataclasses import dataclass

from hodograph.recipes import FileRollout, Recipe, TransformersGeneration
from hodograph.tasks import open_task
from hodograph.training.data import token_lengths
from hodograph.training.launch import require_division
from hodograph.training.models import model_config, open_tokenizer, require_shared_vocabulary
from hodograph.training.plan_memory import SAMPLING, TURNS, Layout, memory_of
from hodograph.training.plan_model import BFLOAT16, FLOAT32, EmptyModel
from hodograph.training.plan_time import Work, speed_of
from hodograph.training.thinking import settle_thinking

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
        seconds: least time of a step: its operations at the speed of a large matrix product, on as
            many devices; None where a GPU is planned for that is neither named nor here.
        times: estimated seconds of a step by what they do; empty where `seconds` is None.
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
    times: dict[str, float]
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
    work = _work(recipe, layout, student, teacher, prompt, completion)
    flops = {name: part.flops for name, part in work.items()}
    speed, devices = speed_of(layout), layout.processes
    return TrainingPlan(
        student=student.entries,
        teacher=0 if teacher is None else teacher.entries,
        prompt=prompt,
        completion=completion,
        memory=memory,
        flops=flops,
        seconds=None if speed is None else sum(flops.values()) / speed.flops / devices,
        times={n: speed.seconds(part, devices) for n, part in work.items()} if speed else {},
        steps=recipe.steps,
        layout=layout,
    )


def _work(
    recipe: Recipe,
    layout: Layout,
    student: EmptyModel,
    teacher: EmptyModel | None,
    prompt: int,
    completion: int,
) -> dict[str, Work]:
    """Work of one step by what it does: that of a micro-batch, as often as there is one."""
    length, times = prompt + completion, recipe.batch.accumulation
    parts = times * layout.processes
    sequences = recipe.batch.sequences // parts
    own = student.passed(sequences, length)
    again = 1 if recipe.batch.gradient_checkpointing else 0
    work = {
        "training": Work(
            (own.both + again * own.forward) * parts,
            (own.started_both + again * own.started) * times,
        )
    }
    share = TEACHER_SHARE.get(recipe.rollout.type, getattr(recipe.rollout, "teacher_share", 0.0))
    if _samples(recipe):
        answering = _sampling(recipe, layout, student, prompt, completion, 1 - share)
        if teacher is not None:
            answering += _sampling(recipe, layout, teacher, prompt, completion, share)
        work["sampling"] = answering
    if teacher is not None:
        theirs = teacher.passed(sequences, length)
        work["scoring by the teacher"] = Work(theirs.forward * parts, theirs.started * times)
    return {name: part for name, part in work.items() if part.flops}


def _sampling(
    recipe: Recipe, layout: Layout, model: EmptyModel, prompt: int, completion: int, share: float
) -> Work:
    """Work of a model that writes its share of the answers, all at once, token after token.

    Each token reads every weight, and the keys and values of half the answer on average.
    transformers copies these once more, and autocast the weights into bfloat16. vLLM copies
    neither, and replays all operations of a token at one start.
    """
    if not share:
        return Work(0.0)
    parts = recipe.batch.accumulation * layout.processes
    once = model.passed(recipe.batch.sequences // parts, prompt + completion)
    rows = recipe.batch.sequences // layout.processes
    held = share * model.cache(rows, prompt + completion // 2)
    if not isinstance(recipe.generation, TransformersGeneration):
        return Work(
            share * once.forward * parts, 0.0, completion * (BFLOAT16 * model.entries + held)
        )
    a_weight = FLOAT32 + 2 * BFLOAT16 if layout.on_gpu else FLOAT32
    moved = completion * (a_weight * model.entries + 3 * held)
    return Work(share * once.forward * parts, completion * once.started, moved)


def _samples(recipe: Recipe) -> bool:
    return recipe.on_policy and not isinstance(recipe.rollout, FileRollout)
