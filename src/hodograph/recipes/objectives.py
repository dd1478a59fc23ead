"""What the optimizer lowers."""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat

from hodograph.recipes.section import Section

Aggregation = Literal["token-mean", "seq-mean-token-mean"]


class SftObjective(Section):
    """Cross-entropy on demonstrations, averaged over the answer tokens of the batch."""

    type: Literal["sft"]


class OpdObjective(Section):
    """On-policy distillation: the sampled-token log-ratio to the teacher is the advantage."""

    type: Literal["opd"]
    loss_agg: Aggregation = "token-mean"
    eps_clip: PositiveFloat = 1.0
    eps_clip_high: PositiveFloat = 1.0


class RlvrObjective(Section):
    """Policy gradient on the model's own samples with a sequence-level reward (GRPO)."""

    type: Literal["rlvr"]
    reward: Literal["verifier", "random"] = "verifier"
    """``random`` replaces the verifier by a fair coin: the control that learns nothing."""
    loss_agg: Aggregation = "token-mean"
    scale_rewards: Literal["group", "batch", "none"] = "group"
    """Standard deviation the centred reward is divided by."""
    zero_variance: Literal["mask", "keep"] = "mask"
    """What becomes of a group whose rewards are all equal."""
    eps_clip: PositiveFloat = 0.2
    eps_clip_high: PositiveFloat = 0.28


Objective = Annotated[SftObjective | OpdObjective | RlvrObjective, Field(discriminator="type")]
