"""Whether the output head shares the embedding's weights: as declared, and as stored."""

from dataclasses import dataclass

import torch

from hodograph.checkpoints import Checkpoint
from hodograph.matrices.naming import unwrapped

EMBEDDINGS = ("embed_tokens", "wte", "word_embeddings", "embed_in")
HEADS = ("lm_head", "embed_out", "predictions.decoder")
GENERATORS = ("ForCausalLM", "LMHeadModel")


@dataclass(frozen=True)
class Ties:
    """What a checkpoint says of its embedding and its head, from headers alone.

    Attributes:
        declared: config.json's tie_word_embeddings; None where it says nothing.
        embedding: stored name of the token embedding, or None.
        head: stored name of the output head, or None.
        generates: whether the architecture is one that needs a head.
    """

    declared: bool | None
    embedding: str | None
    head: str | None
    generates: bool

    @property
    def both(self) -> bool:
        """Whether embedding and head are both stored."""
        return self.embedding is not None and self.head is not None


def ties_of(checkpoint: Checkpoint) -> Ties:
    """Find the embedding and the head of a checkpoint, and whether its configuration ties them."""
    config = checkpoint.config
    inner = config.get("text_config")
    places = (config, inner if isinstance(inner, dict) else {})
    told = [one["tie_word_embeddings"] for one in places if "tie_word_embeddings" in one]
    architectures = config.get("architectures")
    names = architectures if isinstance(architectures, list) else []
    return Ties(
        declared=told[0] if told and isinstance(told[0], bool) else None,
        embedding=_stored(checkpoint, EMBEDDINGS),
        head=_stored(checkpoint, HEADS),
        generates=any(str(name).endswith(GENERATORS) for name in names),
    )


def tied(checkpoint: Checkpoint, ties: Ties) -> bool | None:
    """Whether head and embedding hold the same weights; None where that cannot be told.

    Reads both where both are stored.

    Raises:
        CheckpointError: one of them cannot be read.
    """
    if ties.embedding is None or ties.head is None:
        return True if ties.declared and ties.embedding is not None else None
    one, other = checkpoint.headers[ties.embedding], checkpoint.headers[ties.head]
    if (one.dtype, one.shape) != (other.dtype, other.shape):
        return False
    return torch.equal(checkpoint.read(one.name), checkpoint.read(other.name))


def _stored(checkpoint: Checkpoint, kinds: tuple[str, ...]) -> str | None:
    suffixes = tuple(f".{kind}.weight" for kind in kinds)
    found = (name for name in checkpoint.headers if f".{unwrapped(name)}".endswith(suffixes))
    return next(found, None)
