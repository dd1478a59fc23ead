"""How many sequences a step sees, and how the optimizer turns gradients into steps."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from hodograph.recipes.section import Section
from hodograph.recipes.tasks import Fraction

Beta = Annotated[float, Field(ge=0, lt=1)]


class Batch(Section):
    """Sequences of one optimizer step: ``prompts`` x ``group_size``.

    On-policy objectives sample ``group_size`` completions of each prompt; SFT trains on as many
    different demonstrations.
    """

    prompts: PositiveInt
    group_size: PositiveInt = 1
    accumulation: PositiveInt = 1
    """Number of micro-batches a step is split into, to save memory."""
    gradient_checkpointing: bool = False
    """Keep one activation a layer and compute the others again backward, to save memory."""

    @property
    def sequences(self) -> int:
        """Sequences a step trains on."""
        return self.prompts * self.group_size


class ConstantSchedule(Section):
    """One learning rate, after a linear warm-up."""

    type: Literal["constant"] = "constant"
    warmup_steps: NonNegativeInt = 0


class CosineSchedule(Section):
    """Half a cosine from the learning rate to ``floor`` times it, after a linear warm-up."""

    type: Literal["cosine"]
    warmup_steps: NonNegativeInt = 0
    floor: Fraction = 0.1


Schedule = Annotated[ConstantSchedule | CosineSchedule, Field(discriminator="type")]


class Optimizer(Section):
    """AdamW with decoupled weight decay (not applied to norms and biases)."""

    lr: PositiveFloat
    betas: tuple[Beta, Beta] = (0.9, 0.98)
    eps: PositiveFloat = 1e-8
    weight_decay: NonNegativeFloat = 0.0
    max_grad_norm: NonNegativeFloat = 1.0
    """Gradients are scaled down to this norm; 0 switches clipping off."""
    schedule: Schedule = ConstantSchedule()
