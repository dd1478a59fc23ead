"""Which model is trained, and which one teaches."""

from typing import Annotated, Literal, Self

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


class RandomModel(Section):
    """What the models with random weights share; the recipe's seed decides the weights."""

    hidden_size: PositiveInt
    layers: PositiveInt
    heads: PositiveInt
    kv_heads: PositiveInt
    head_dim: PositiveInt
    tie_embeddings: bool = True
    initializer_range: PositiveFloat = 0.08
    max_position_embeddings: PositiveInt = 128
    tokenizer: Literal["chain", "text"] = "chain"
    """The 24-token chain alphabet, or printable ASCII, one token a character."""

    @property
    def place(self) -> str:
        """Where it comes from, in words."""
        return "random weights"

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.heads % self.kv_heads:
            raise ValueError(
                f"heads ({self.heads}) is not a multiple of kv_heads ({self.kv_heads})"
            )
        return self


class Qwen3Model(RandomModel):
    """A Qwen3 model of the given size with random weights."""

    type: Literal["qwen3"]
    intermediate_size: PositiveInt


class Qwen3MoeModel(RandomModel):
    """A Qwen3 mixture-of-experts model with random weights: every layer's MLP is experts.

    The probabilities of the chosen experts are normalised to sum 1, as in the published models. No
    load-balancing loss is added.
    """

    type: Literal["qwen3_moe"]
    experts: PositiveInt
    experts_per_token: PositiveInt
    moe_intermediate_size: PositiveInt

    @model_validator(mode="after")
    def _enough_experts(self) -> Self:
        if self.experts_per_token > self.experts:
            raise ValueError(
                f"experts_per_token ({self.experts_per_token}) exceeds experts ({self.experts})"
            )
        return self


StoredModel = Annotated[PathModel | HubModel, Field(discriminator="type")]
Model = Annotated[PathModel | HubModel | Qwen3Model | Qwen3MoeModel, Field(discriminator="type")]
