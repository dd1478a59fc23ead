"""Train an adapter in place of the weights."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from hodograph.recipes.section import Section
from hodograph.recipes.subspace import Scope


class LoraAdapter(Section):
    """A new LoRA adapter, W + (alpha / rank) B A; A and B train, B starts at 0."""

    type: Literal["lora"]
    rank: PositiveInt = 16
    alpha: PositiveInt | None = None
    """``rank`` when left out, so that the scale is 1."""
    init: Literal["random", "eva"] = "random"
    """How A starts: Kaiming-uniform, or the leading directions of the layer's inputs (EVA)."""
    examples: PositiveInt = 256
    """For ``eva``: training examples read through the model, prompt and demonstration."""
    scope: Scope = "linear"


class FrozenAAdapter(Section):
    """An adapter that `hodograph adapt` wrote: A is fixed, B trains."""

    type: Literal["frozen_a"]
    path: str = Field(min_length=1)
    """Its folder; a relative path is resolved against the recipe file.

    The student must be the checkpoint it was made for.
    """


Adapter = Annotated[LoraAdapter | FrozenAAdapter, Field(discriminator="type")]
