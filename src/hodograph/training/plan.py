"""What a recipe will need and take, from configurations alone: no weight is read.

Shapes: B sequences, T tokens.
"""

import time
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModelForCausalLM, PretrainedConfig

from hodograph.recipes import FileRollout, Recipe
from hodograph.tasks import open_task
from hodograph.training.data import token_lengths
from hodograph.training.models import model_config, open_tokenizer, require_shared_vocabulary

FLOAT32, BFLOAT16 = 4, 2
PROBE_CPU, PROBE_GPU = 1024, 8192  # side of the matrices whose product is timed
TEACHER_SHARE = {"teacher": 1.0, "student": 0.0}  # of the completions, by type of rollout
EXPERTS = torch.ops.aten._grouped_mm  # the product of tokens with their experts, in bfloat16 alone
EXAMPLES = 256  # of the task, to learn how long prompts and demonstrations are


@dataclass(frozen=True)
class TrainingPlan:
    """What is ahead.

    Attributes:
        student: parameters trained.
        teacher: parameters of the teacher; 0 without one.
        prompt: tokens of the longest prompt among the first examples.
        completion: tokens of the longest completion.
        memory: bytes by what they hold, on the device that trains.
        flops: floating-point operations of one step by what they do.
        seconds: least time of a step: its operations at this machine's matrix-product speed.
        steps: optimizer steps.
    """

    student: int
    teacher: int
    prompt: int
    completion: int
    memory: dict[str, int]
    flops: dict[str, float]
    seconds: float
    steps: int

    @property
    def peak(self) -> int:
        """Bytes at the largest moment: activations and the cache of sampling take turns."""
        turns = ("activations of a micro-batch", "cache of sampling")
        fixed = sum(size for name, size in self.memory.items() if name not in turns)
        return fixed + max(self.memory.get(name, 0) for name in turns)


def plan_training(recipe: Recipe) -> TrainingPlan:
    """Estimate a run. Models are built without weights, on torch's meta device.

    Activations are what autograd keeps of one micro-batch with the attention matrix written out,
    so an upper bound where a fused attention runs. Temporary buffers and the allocator's slack are
    not in it.

    Raises:
        SettingsError: no such task, or the teacher's vocabulary differs from the student's.
        CheckpointError: a model's configuration or tokenizer cannot be read.
    """
    tokenizer = open_tokenizer(recipe.student)
    examples = open_task(recipe.task).training(recipe.seed, EXAMPLES)
    prompt, demonstration = token_lengths(examples, tokenizer)
    completion = recipe.sampling.max_completion_length if recipe.on_policy else demonstration
    config = model_config(recipe.student)
    student, teacher = _empty(config), None
    if recipe.teacher is not None:
        theirs = open_tokenizer(recipe.teacher)
        require_shared_vocabulary(tokenizer, theirs, recipe.teacher.place)
        teacher = _empty(model_config(recipe.teacher))
    sequences, length = recipe.batch.sequences, prompt + completion
    parts = recipe.batch.accumulation
    kept, forward, both = _pass(student, sequences // parts, length)
    scoring = 0.0 if teacher is None else _pass(teacher, sequences // parts, length)[1]
    share = TEACHER_SHARE.get(recipe.rollout.type, getattr(recipe.rollout, "teacher_share", 0.0))
    sampling = (1 - share) * forward + share * scoring if _samples(recipe) else 0.0
    work = {"training": both, "sampling": sampling, "scoring by the teacher": scoring}
    flops = {name: count * parts for name, count in work.items() if count}
    cache = _cache(config, sequences, length) if _samples(recipe) else 0
    return TrainingPlan(
        student=_entries(student),
        teacher=_entries(teacher),
        prompt=prompt,
        completion=completion,
        memory=_memory(_entries(student), _entries(teacher), kept, cache),
        flops=flops,
        seconds=sum(flops.values()) / _product_speed(),
        steps=recipe.steps,
    )


def _samples(recipe: Recipe) -> bool:
    return recipe.on_policy and not isinstance(recipe.rollout, FileRollout)


def _memory(student: int, teacher: int, kept: int, cache: int) -> dict[str, int]:
    memory = {
        "weights, float32": FLOAT32 * student,
        "gradients, float32": FLOAT32 * student,
        "Adam's moments, float32": 2 * FLOAT32 * student,
        "teacher, float32": FLOAT32 * teacher,
        "bfloat16 copies of autocast": BFLOAT16 * (student + teacher) if _on_gpu() else 0,
        "activations of a micro-batch": kept,
        "cache of sampling": cache,
    }
    return {name: size for name, size in memory.items() if size}


def _empty(config: PretrainedConfig) -> nn.Module:
    experts = hasattr(config, "num_experts") or hasattr(config, "num_local_experts")
    dtype = torch.bfloat16 if experts or _on_gpu() else torch.float32
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config, dtype=dtype)


def _entries(model: nn.Module | None) -> int:
    return 0 if model is None else sum(parameter.numel() for parameter in model.parameters())


def _pass(model: nn.Module, sequences: int, length: int) -> tuple[int, float, float]:
    """Bytes autograd keeps, operations forward, and forward and backward, of one micro-batch."""
    weights = {_storage(parameter) for parameter in model.parameters()}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        if _storage(tensor) not in weights:
            kept[_storage(tensor)] = tensor
        return tensor

    ids_BT = torch.zeros(sequences, length, dtype=torch.long, device="meta")
    seen = torch.ones(sequences, 1, length, length, dtype=torch.bool, device="meta")
    counter = FlopCounterMode(display=False, custom_mapping={EXPERTS: _experts_product})
    with saved_tensors_hooks(keep, lambda tensor: tensor), counter as count:
        logits_BTV = model(input_ids=ids_BT, attention_mask=seen, use_cache=False).logits
        loss = logits_BTV.float().log_softmax(-1)[..., 0].sum()
        forward = count.get_total_flops()
        loss.backward()
    size = sum(_bytes(tensor) for tensor in kept.values())
    return size, forward, count.get_total_flops()


def _bytes(tensor: Tensor) -> int:
    """Bytes of a tensor's storage; bfloat16 stands for float32 where there is no GPU."""
    widened = tensor.dtype == torch.bfloat16 and not _on_gpu()
    return tensor.untyped_storage().nbytes() * (FLOAT32 // BFLOAT16 if widened else 1)


def _experts_product(first: torch.Size, second: torch.Size, *_: object, **__: object) -> int:
    """Operations of a grouped product, (tokens, m) with (experts, m, n) or its two gradients."""
    return 2 * first[-2] * first[-1] * second[-1]


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata


def _cache(config: PretrainedConfig, sequences: int, length: int) -> int:
    """Keys and values of every layer, for all sequences sampled at once."""
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    size = BFLOAT16 if _on_gpu() else FLOAT32
    return 2 * config.num_hidden_layers * heads * width * sequences * length * size


def _on_gpu() -> bool:
    return torch.cuda.is_available()


@cache
def _product_speed() -> float:
    """Operations a second of a matrix product in the precision that training computes in."""
    on_gpu = _on_gpu()
    side = PROBE_GPU if on_gpu else PROBE_CPU
    dtype, device = (torch.bfloat16, "cuda") if on_gpu else (torch.float32, "cpu")
    matrix = torch.randn(side, side, dtype=dtype, device=device)
    times = [_seconds_of_product(matrix) for _ in range(6)]
    return 2 * side**3 / min(times)  # the first loads libraries, others may share the machine


def _seconds_of_product(matrix: Tensor) -> float:
    start = time.perf_counter()
    float((matrix @ matrix)[0, 0])  # reading an entry waits for the device
    return time.perf_counter() - start
