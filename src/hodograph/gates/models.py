"""The policies of a run: the model of a checkpoint, ready to be run, and its teacher."""

from pathlib import Path
from typing import TYPE_CHECKING

from hodograph.errors import CheckpointError, SettingsError
from hodograph.inputs.model import open_model, open_tokenizer
from hodograph.matrices.precision import all_entries_finite

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def open_policy(folder: Path) -> "PreTrainedModel":
    """The model of a checkpoint with its head, in float32.

    Raises:
        CheckpointError: it cannot be run, or holds NaN or infinite weights.
    """
    model = open_model(folder, head=True)
    for name, weight in model.named_parameters():
        if not all_entries_finite(weight.detach()):
            raise CheckpointError(
                f"{name}: NaN or infinite weights in {folder}.\n"
                "  Such a model samples nothing; name other checkpoints with --steps."
            )
    return model


def require_shared_vocabulary(student: Path, teacher: Path) -> None:
    """Refuse a teacher that would score other tokens than were sampled.

    Raises:
        SettingsError: the two tokenizers give some token different ids.
    """
    ours, theirs = (open_tokenizer(folder).get_vocab() for folder in (student, teacher))
    if ours == theirs:
        return
    token = min(token for token, _ in ours.items() ^ theirs.items())
    raise SettingsError(
        f"the teacher in {teacher} has another vocabulary than the run: {token!r} is id"
        f" {theirs.get(token)} there and {ours.get(token)} here.\n"
        "  Name a teacher of the same model family: --teacher FOLDER"
    )
