"""Which engine samples the completions."""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from hodograph.recipes.section import Section

Share = Annotated[float, Field(gt=0, lt=1)]
Correction = Literal["sequence_mask", "sequence_truncate", "token_mask", "token_truncate", "none"]


class TransformersGeneration(Section):
    """The model that trains samples them itself."""

    type: Literal["transformers"] = "transformers"


class _Vllm(Section):
    correction: Correction = "sequence_mask"
    """What multiplies the loss, since vLLM's log-probabilities differ from the trainer's.

    The ratio p_trainer / p_vllm of each completion or token: ``mask`` drops those above
    ``correction_max``, ``truncate`` clamps them. ``none`` only measures.
    """
    correction_max: PositiveFloat = 3.0


class VllmColocateGeneration(_Vllm):
    """A vLLM engine in the training processes, on their GPUs."""

    type: Literal["vllm_colocate"]
    gpu_memory_utilization: Share = 0.3
    """Share of each GPU's memory that vLLM takes."""
    tensor_parallel: PositiveInt = 1
    """Processes that share one engine."""


class VllmServerGeneration(_Vllm):
    """A vLLM server that runs elsewhere; it is sent the weights before each step."""

    type: Literal["vllm_server"]
    url: str = Field(min_length=1)


Generation = Annotated[
    TransformersGeneration | VllmColocateGeneration | VllmServerGeneration,
    Field(discriminator="type"),
]
