"""Put an adapter into a model, as a recipe asks."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from hodograph.checkpoints import open_checkpoint
from hodograph.errors import CheckpointError, SettingsError
from hodograph.recipes import Adapter, FrozenAAdapter, LoraAdapter, PathModel, Recipe
from hodograph.tasks import Example, Task
from hodograph.training.adapters.early import REPORT
from hodograph.training.adapters.peft_extra import freeze_a, require_peft
from hodograph.training.folder import read_json
from hodograph.training.interventions.subspace.basis import agreed, confinable, require_rank
from hodograph.training.models import weights_of
from hodograph.training.texts import text_batches, to_device


def adapted(
    recipe: Recipe,
    adapter: Adapter,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    task: Task,
) -> PreTrainedModel:
    """Put the recipe's adapter into its model.

    Raises:
        SettingsError: the adapter does not fit the model, or PEFT is missing.
        CheckpointError: the adapter cannot be read.
    """
    if isinstance(adapter, FrozenAAdapter):
        assert isinstance(recipe.student, PathModel)
        return add_early(model, weights_of(Path(recipe.student.path)), adapter)
    examples = task.training(recipe.seed, adapter.examples)
    return add_lora(model, adapter, tokenizer, examples, recipe.seed)


def add_lora(
    model: PreTrainedModel,
    settings: LoraAdapter,
    tokenizer: PreTrainedTokenizerBase,
    examples: Sequence[Example],
    seed: int,
) -> PreTrainedModel:
    """Put a new LoRA adapter into the model's linear layers; every other weight is frozen.

    Args:
        model: changed in place: its linear layers are wrapped.
        settings: of the recipe.
        tokenizer: turns examples into tokens, for `eva`.
        examples: whose layer inputs give A, for `eva` (Paischer et al., arXiv 2410.07170, without
            redistribution of ranks over layers); unused else.
        seed: decides the random A.

    Raises:
        SettingsError: a rank above a layer's inputs, or PEFT is missing.
    """
    require_peft()
    from peft import EvaConfig, LoraConfig, get_peft_model, initialize_lora_eva_weights

    weights = confinable(model, settings.scope)
    require_rank(settings.rank, {name: weight.shape for name, weight in weights.items()})
    eva = settings.init == "eva"
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=settings.rank,
        lora_alpha=settings.alpha or settings.rank,
        target_modules=[name.removesuffix(".weight") for name in weights],
        init_lora_weights="eva" if eva else True,
        eva_config=EvaConfig(rho=1.0) if eva else None,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        wrapped = get_peft_model(to_device(model), config, low_cpu_mem_usage=eva)
        if eva:
            batches = list(text_batches(examples, tokenizer))
            # every process reads the same texts, so nothing is to be gathered
            initialize_lora_eva_weights(
                wrapped, batches, show_progress_bar=False, gather_distributed_inputs=False
            )
            _agree(wrapped)
    return _plain(wrapped)


def add_early(model: PreTrainedModel, student: Path, settings: FrozenAAdapter) -> PreTrainedModel:
    """Put an adapter of `hodograph adapt` into the model; B alone trains.

    Args:
        model: changed in place.
        student: the checkpoint that the model was read from.
        settings: of the recipe.

    Raises:
        CheckpointError: the folder holds no such adapter.
        SettingsError: the adapter was made for other weights, or PEFT is missing.
    """
    require_peft()
    from peft import PeftModel

    folder = Path(settings.path)
    if not (folder / REPORT).is_file():
        raise CheckpointError(
            f"{folder}: not an adapter that `hodograph adapt` wrote ({REPORT} is missing)."
        )
    report = read_json(folder / REPORT)
    if open_checkpoint(student).digest() != report["base_digest"]:
        raise SettingsError(
            f"{folder} was made for {report['base']}, and the student in {student} has other"
            " weights.\n  Name that checkpoint as student.path."
        )
    wrapped = PeftModel.from_pretrained(model, str(folder), is_trainable=True)
    freeze_a(wrapped)
    return _plain(wrapped)


@torch.no_grad()
def _agree(wrapped: Any) -> None:
    """Take the first process's A everywhere: factorings may differ in their last bits."""
    starts = {n: p for n, p in wrapped.named_parameters() if ".lora_A." in n}
    for name, start in agreed({n: p.cpu() for n, p in starts.items()}).items():
        starts[name].copy_(start)


def _plain(wrapped: Any) -> PreTrainedModel:
    """The transformers model with adapted layers inside: trainers, hooks and names stay as ever."""
    return wrapped.get_base_model()
