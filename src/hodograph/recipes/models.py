"""Which model is trained, and which one teaches."""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from hodograph.recipes.section import Section


class PathModel(Section):
    """A model read from disk as float32."""

    type: Literal["path"]
    path: str = Field(min_length=1)
    """A folder in the Hugging Face layout, or a finished run (its final checkpoint).

    A relative path is resolved against the recipe file.
    """
    round_to_bf16: bool = False
    """Round the weights to the bfloat16 grid first (they stay float32 tensors)."""

    @property
    def place(self) -> str:
        """Where it lies, in words."""
        return self.path


class HubModel(Section):
    """A model of the Hugging Face hub, read as float32; fetched only where it is named so."""

    type: Literal["hub"]
    id: Annotated[str, Field(pattern=r"^[\w.-]+(/[\w.-]+)?$")]
    """``organisation/name``."""
    revision: str = Field(default="main", min_length=1)
    """Branch, tag or commit; name a commit to train from the same weights next year."""
    round_to_bf16: bool = False
    """Round the weights to the bfloat16 grid first (they stay float32 tensors)."""

    @property
    def place(self) -> str:
        """Where it lies, in words."""
        return f"{self.id}@{self.revision}"


class Qwen3Model(Section):
    """A Qwen3 model of the given size with random weights (seeded by the recipe's seed)."""

    type: Literal["qwen3"]
    hidden_size: PositiveInt
    layers: PositiveInt
    heads: PositiveInt
    kv_heads: PositiveInt
    head_dim: PositiveInt
    intermediate_size: PositiveInt
    tie_embeddings: bool = True
    initializer_range: PositiveFloat = 0.08
    max_position_embeddings: PositiveInt = 128
    tokenizer: Literal["chain"] = "chain"

    @model_validator(mode="after")
    def _heads_divide(self) -> "Qwen3Model":
        if self.heads % self.kv_heads:
            raise ValueError(
                f"heads ({self.heads}) is not a multiple of kv_heads ({self.kv_heads})"
            )
        return self


StoredModel = Annotated[PathModel | HubModel, Field(discriminator="type")]
Model = Annotated[PathModel | HubModel | Qwen3Model, Field(discriminator="type")]
