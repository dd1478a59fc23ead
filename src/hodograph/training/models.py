"""Build or read the student, the teacher and their tokenizer, always as float32."""

from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from torch import nn
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3MoeConfig,
    Qwen3MoeForCausalLM,
)

from hodograph.checkpoints import open_checkpoint
from hodograph.errors import CheckpointError, SettingsError
from hodograph.recipes import (
    HubModel,
    Model,
    PathModel,
    Qwen3Model,
    Qwen3MoeModel,
    RandomModel,
    StoredModel,
)
from hodograph.tasks.alphabet import chain_tokenizer, text_tokenizer
from hodograph.training.folder import RunFolder, read_json

TOKENIZERS = {"chain": chain_tokenizer, "text": text_tokenizer}
UNREADABLE = (  # what transformers was seen to raise on damaged and contradictory files
    ArithmeticError,
    AttributeError,
    LookupError,
    OSError,
    RuntimeError,
    SafetensorError,
    StrictDataclassError,
    TypeError,
    ValueError,
)


def open_tokenizer(settings: Model) -> PreTrainedTokenizerBase:
    """Return the tokenizer that belongs to a model.

    Raises:
        CheckpointError: the model's folder has none, or the hub cannot be reached.
    """
    if isinstance(settings, RandomModel):
        return TOKENIZERS[settings.tokenizer]()
    return _stored(AutoTokenizer, settings, "tokenizer")


def open_model(settings: Model, seed: int) -> PreTrainedModel:
    """Return a model with float32 weights; `seed` decides the random ones.

    Raises:
        CheckpointError: the model's folder does not hold a causal language model.
    """
    if isinstance(settings, RandomModel):
        return _random(settings, seed)
    if isinstance(settings, PathModel):
        _require_files(weights_of(Path(settings.path)))
    model, found = _stored(
        AutoModelForCausalLM, settings, "model", dtype=torch.float32, output_loading_info=True
    )
    if missing := sorted(found["missing_keys"]):
        where = settings.path if isinstance(settings, PathModel) else settings.place
        raise CheckpointError(
            f"{where}: {len(missing)} weights are missing, {missing[0]} among them.\n"
            "  Training would start from random ones; export the model again."
        )
    if settings.round_to_bf16:
        round_to_bf16(model)
    return model


def model_config(settings: Model) -> PretrainedConfig:
    """Return a model's configuration; its weights need not be there.

    Raises:
        CheckpointError: the model's folder holds no configuration.
    """
    if isinstance(settings, Qwen3Model):
        return _dense_config(settings)
    if isinstance(settings, Qwen3MoeModel):
        return _experts_config(settings)
    return _stored(AutoConfig, settings, "configuration")


@torch.no_grad()
def round_to_bf16(model: nn.Module) -> None:
    """Round every weight to the nearest bfloat16 value, ties to even; the tensors stay float32."""
    for parameter in model.parameters():
        parameter.copy_(parameter.bfloat16())


def require_float32_masters(model: nn.Module) -> None:
    """Refuse trainable weights in less than float32.

    In bfloat16 a step below half a ULP, 0.2 to 0.4 % of a weight, is lost when stored: what
    would be measured is the rounding.

    Raises:
        SettingsError: a trainable parameter has another dtype.
    """
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and parameter.dtype != torch.float32:
            raise SettingsError(
                f"{name} is {parameter.dtype}: weights are trained in float32 only.\n"
                "  Load the model with dtype=torch.float32; computation may still autocast to"
                " bfloat16."
            )


def require_shared_vocabulary(
    student: PreTrainedTokenizerBase, teacher: PreTrainedTokenizerBase, folder: str
) -> None:
    """Refuse a teacher that would score other tokens than the student sampled.

    Raises:
        SettingsError: the two tokenizers give some token different ids.
    """
    ours, theirs = student.get_vocab(), teacher.get_vocab()
    if ours == theirs:
        return
    token = min(token for token, _ in ours.items() ^ theirs.items())
    raise SettingsError(
        f"the teacher in {folder} has another vocabulary than the student"
        f" ({len(theirs)} tokens, the student {len(ours)}):"
        f" {token!r} is id {theirs.get(token)} there and {ours.get(token)} here.\n"
        "  On-policy distillation scores the student's own tokens: choose a teacher of the same"
        " model family."
    )


def _require_files(folder: Path) -> None:
    """Refuse damaged safetensors in our own words; transformers would wait for ever for a pipe."""
    if any(folder.glob("*.safetensors")):
        open_checkpoint(folder)


def _stored(loader: Any, settings: StoredModel, what: str, **options: Any) -> Any:
    if isinstance(settings, HubModel):
        return _from_hub(loader, settings, what, **options)
    return _from_folder(loader, settings.path, what, **options)


def _from_hub(loader: Any, settings: HubModel, what: str, **options: Any) -> Any:
    try:
        return loader.from_pretrained(settings.id, revision=settings.revision, **options)
    except (OSError, ValueError, KeyError) as error:
        first = str(error).strip().splitlines()[0]
        raise CheckpointError(
            f"{settings.place}: the {what} cannot be had from the hub ({first}).\n"
            "  Check the name and the connection, or download it and name the folder:"
            ' { type = "path", path = ... }.'
        ) from None


def _from_folder(loader: Any, path: str, what: str, **options: Any) -> Any:
    folder = weights_of(Path(path))
    if not (folder / "config.json").is_file():
        lacks = "holds no config.json" if folder.is_dir() else "does not exist"
        raise CheckpointError(
            f"{path} is no model folder: it {lacks}.\n"
            "  Train or export the model first; a finished run's folder will do."
        )
    try:
        return loader.from_pretrained(folder, local_files_only=True, **options)
    except UNREADABLE as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise CheckpointError(f"{path}: the {what} cannot be read: {reason}") from error


def weights_of(path: Path) -> Path:
    """Return the final checkpoint if `path` is a run, else `path` itself."""
    run = RunFolder(path)
    if not run.recipe.exists():
        return path
    if not run.finished.exists():
        raise CheckpointError(
            f"{path} is a run that has not finished: repeat its training command to complete it,\n"
            "  or name one of its checkpoints, such as checkpoints/step_0."
        )
    return path / read_json(run.finished)["final_checkpoint"]


def _random(settings: Qwen3Model | Qwen3MoeModel, seed: int) -> PreTrainedModel:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if isinstance(settings, Qwen3MoeModel):
            return Qwen3MoeForCausalLM(_experts_config(settings))
        return Qwen3ForCausalLM(_dense_config(settings))


def _dense_config(settings: Qwen3Model) -> Qwen3Config:
    return Qwen3Config(**_shared(settings), intermediate_size=settings.intermediate_size)


def _experts_config(settings: Qwen3MoeModel) -> Qwen3MoeConfig:
    return Qwen3MoeConfig(
        **_shared(settings),
        num_experts=settings.experts,
        num_experts_per_tok=settings.experts_per_token,
        moe_intermediate_size=settings.moe_intermediate_size,
        norm_topk_prob=True,
    )


def _shared(settings: Qwen3Model | Qwen3MoeModel) -> dict[str, Any]:
    tokenizer = open_tokenizer(settings)
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": settings.hidden_size,
        "num_hidden_layers": settings.layers,
        "num_attention_heads": settings.heads,
        "num_key_value_heads": settings.kv_heads,
        "head_dim": settings.head_dim,
        "tie_word_embeddings": settings.tie_embeddings,
        "initializer_range": settings.initializer_range,
        "max_position_embeddings": settings.max_position_embeddings,
        "pad_token_id": tokenizer.pad_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "bos_token_id": None,
    }
