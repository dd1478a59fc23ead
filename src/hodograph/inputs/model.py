"""A model and its tokenizer from a checkpoint's folder, through transformers."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from hodograph.errors import CheckpointError, SettingsError
from hodograph.matrices.naming import role_of
from hodograph.modules import LINEAR

TOKENIZER_FILES = ("tokenizer*", "vocab*", "*.model")

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def open_tokenizer(folder: Path) -> "PreTrainedTokenizerBase":
    """The tokenizer that lies beside the weights.

    Raises:
        CheckpointError: there is none.
        SettingsError: transformers is not installed.
    """
    if not any(file for name in TOKENIZER_FILES for file in folder.glob(name)):
        raise CheckpointError(  # transformers would make an empty one up
            f"{folder}: there is no tokenizer beside the model, which is needed to run it.\n"
            "  Copy the tokenizer's files of its base there."
        )
    return _from_folder("AutoTokenizer", folder, "tokenizer")


def open_model(folder: Path, *, head: bool = False) -> "PreTrainedModel":
    """The model of a folder in float32, to be looked at.

    Args:
        folder: weights and config.json in the Hugging Face layout.
        head: with the output head, which sampling needs.

    Raises:
        CheckpointError: the folder holds no model, or its weights have other names.
        SettingsError: transformers is not installed.
    """
    loader = "AutoModelForCausalLM" if head else "AutoModel"
    options = {"dtype": torch.float32, "output_loading_info": True}
    model, info = _from_folder(loader, folder, "model", **options)
    lacking = sorted(name for name in info["missing_keys"] if role_of(name).module in LINEAR)
    if lacking:
        raise CheckpointError(
            f"{folder}: transformers finds no weights for {lacking[0]} ({len(lacking)} such).\n"
            "  The tensors are not named as its architecture in config.json names them."
        )
    return model.eval()


def longest_text(folder: Path) -> int | None:
    """Most tokens the model takes, or None where its configuration does not tell."""
    config = _from_folder("AutoConfig", folder, "configuration").get_text_config()
    return getattr(config, "max_position_embeddings", None)


def is_model_folder(path: Path) -> bool:
    """Whether the path is a folder that transformers can load a model from."""
    return (path / "config.json").is_file()


def model_folder(path: Path) -> Path:
    """The folder that a checkpoint's model is loaded from.

    Raises:
        CheckpointError: weights without a configuration.
    """
    if not is_model_folder(path):
        raise CheckpointError(
            f"{path}: the model is to be run, and this is no folder with a config.json.\n"
            "  Weights, config.json and tokenizer are needed in one folder."
        )
    return path


def _from_folder(loader: str, folder: Path, what: str, **options: Any) -> Any:
    transformers = _transformers()
    try:
        with _quiet(transformers.utils.logging):
            return getattr(transformers, loader).from_pretrained(
                folder, local_files_only=True, **options
            )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        first = str(error).strip().splitlines()[0]
        raise CheckpointError(
            f"{folder}: the {what} cannot be loaded ({first}).\n"
            "  It must be a model that transformers can run, with its tokenizer."
        ) from error


def _transformers() -> Any:
    try:
        import transformers
    except ImportError as error:
        raise SettingsError(
            "the model is to be run, which needs transformers.\n"
            "  Install hodograph with the extra `train`."
        ) from error
    return transformers


@contextmanager
def _quiet(noise: Any) -> Iterator[None]:
    """Keep transformers' bars and its list of unused weights, the head's, off the terminal."""
    level, bars = noise.get_verbosity(), noise.is_progress_bar_enabled()
    noise.set_verbosity_error()
    noise.disable_progress_bar()
    try:
        yield
    finally:
        noise.set_verbosity(level)
        if bars:
            noise.enable_progress_bar()
