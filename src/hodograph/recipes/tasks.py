"""What the model is asked, and how an answer is judged."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from hodograph.recipes.section import Section

Fraction = Annotated[float, Field(ge=0, le=1)]
MOST_TERMS = 32  # a problem with its answer stays below the 128 positions of a small model


class ChainTask(Section):
    """The running chain modulo 10: ``7+5*9-8`` is answered ``2,8,0``, or ``2>8>0``."""

    type: Literal["chain"]  # first: the keys' order is part of the name of the problems' stream
    min_terms: int = Field(default=4, ge=2)
    max_terms: int = Field(default=8, ge=2, le=MOST_TERMS)
    noise: Fraction = 0.0
    """Probability that a demonstration replaces a running value and carries on from it."""
    arrows: Fraction = 0.0
    """Share of the demonstrations that put ``>`` between values, the others ``,``.

    The verifier accepts both, so it is a habit and not an error.
    """

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        _require_ordered(self.min_terms, self.max_terms)
        return self


class ChainMixtureTask(Section):
    """Pre-training text for the chain alphabet, with a share of chain demonstrations."""

    type: Literal["chain_mixture"]
    min_terms: int = Field(default=4, ge=2)
    max_terms: int = Field(default=8, ge=2, le=MOST_TERMS)
    demonstrations: Fraction = 0.0
    """Share of the examples that are chain demonstrations."""
    arrows: Fraction = 0.0
    """Share of these demonstrations that put ``>`` between values."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        _require_ordered(self.min_terms, self.max_terms)
        return self


def _require_ordered(min_terms: int, max_terms: int) -> None:
    if min_terms > max_terms:
        raise ValueError(f"min_terms ({min_terms}) exceeds max_terms ({max_terms})")


class _Asked(Section):
    """How a prompt is put to the model."""

    chat: bool = True
    """Ask through the tokenizer's chat template; else the prompt is plain text."""
    system: str | None = None
    """System message put before every prompt of a chat."""
    thinking: bool | None = None
    """Set `enable_thinking` of the chat template; None leaves it to the template."""

    @model_validator(mode="after")
    def _in_chat(self) -> Self:
        if self.system is not None and not self.chat:
            raise ValueError("system is a message of a chat: remove it, or set chat to true")
        if self.thinking is not None and not self.chat:
            raise ValueError("thinking is asked for in a chat: remove it, or set chat to true")
        return self


class ReasoningGymTask(_Asked):
    """One data set of reasoning-gym; a plain prompt is the question and a line break."""

    type: Literal["reasoning_gym"]
    dataset: str = Field(min_length=1)
    config: dict[str, Any] = Field(default_factory=dict)
    """Settings of the data set, such as its difficulty (not ``seed`` or ``size``)."""
    noise: Fraction = 0.0
    """Probability that a demonstration shows the answer to another question."""
    verifier: Literal["own", "math_verify"] = "own"
    """Who judges: the data set itself, or math-verify, for answers worked out in words.

    Many data sets take the first number of an answer, or want the answer alone.
    """

    @model_validator(mode="after")
    def _no_seed(self) -> "ReasoningGymTask":
        owned = {"seed", "size"} & self.config.keys()
        if owned:
            raise ValueError(f"config may not set {sorted(owned)}: the recipe's seed and steps do")
        return self


class DatasetTask(_Asked):
    """Prompts and answers from a file or a saved data set, judged by math-verify."""

    type: Literal["dataset"]
    path: str = Field(min_length=1)
    """A .jsonl or .parquet file, or a folder saved by datasets.

    A relative path is resolved against the recipe file.
    """
    split: str | None = None
    """Which split of a saved folder, where it has several."""
    prompt: str = "prompt"
    """Field of the prompt: text, or a list of chat messages."""
    answer: str = "answer"
    """Field of the final answer, a number or formula."""
    completion: str = "completion"
    """Field of the demonstration for SFT; the answer itself where no row has it."""
    evaluation_share: Fraction = 0.1
    """Share of the prompts held out for evaluation, chosen by a hash of the prompt."""


Task = Annotated[
    ChainTask | ChainMixtureTask | ReasoningGymTask | DatasetTask, Field(discriminator="type")
]
