"""What the optimizer lowers."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from hodograph.recipes.section import Section
from hodograph.recipes.tasks import Fraction

Aggregation = Literal["token-mean", "seq-mean-token-mean"]
Kl = Literal["sampled", "full_reverse", "full_forward"]
ZeroVariance = Literal["mask", "resample", "keep"]


class SftObjective(Section):
    """Cross-entropy on demonstrations, averaged over the answer tokens of the batch."""

    type: Literal["sft"]


class OpdObjective(Section):
    """On-policy distillation: the sampled-token log-ratio to the teacher is the advantage."""

    type: Literal["opd"]
    loss_agg: Aggregation = "token-mean"
    kl: Kl = "sampled"
    """``full_*`` minimise a divergence over the whole vocabulary, differentiated through."""
    eps_clip: PositiveFloat = 1.0
    eps_clip_high: PositiveFloat = 1.0

    @property
    def teacher_weight(self) -> float:
        """The alpha of the token advantages: the teacher alone decides."""
        return 1.0


class _Rewarded(Section):
    reward: Literal["verifier", "random"] = "verifier"
    """``random`` replaces the verifier by a fair coin: the control that learns nothing."""
    loss_agg: Aggregation = "token-mean"
    scale_rewards: Literal["group", "batch", "none"] = "group"
    """Standard deviation the centred reward is divided by."""
    zero_variance: ZeroVariance = "mask"
    """What becomes of a group whose rewards are all equal."""
    max_tries: PositiveInt = 3
    """Most times ``resample`` replaces the groups of a step."""
    eps_clip: PositiveFloat = 0.2
    eps_clip_high: PositiveFloat = 0.28

    @model_validator(mode="after")
    def _groups_stand_alone(self) -> "_Rewarded":
        if self.zero_variance == "resample" and self.scale_rewards == "batch":
            raise ValueError(
                "zero_variance 'resample' replaces groups one by one, so scale_rewards"
                " must be 'group' or 'none'"
            )
        return self


class RlvrObjective(_Rewarded):
    """Policy gradient on the model's own samples with a sequence-level reward (GRPO)."""

    type: Literal["rlvr"]

    @property
    def teacher_weight(self) -> float:
        """The alpha of the token advantages: no teacher."""
        return 0.0


class MixObjective(_Rewarded):
    """The convex combination of OPD's and RLVR's advantages.

    Exactly one of ``alpha`` and ``opd_kl_coef`` is set.
    """

    type: Literal["mix"]
    alpha: Fraction | None = None
    """Weight of the teacher's log-ratio; 1 - alpha is the reward's."""
    opd_kl_coef: NonNegativeFloat | None = None
    """slime's coefficient c of A - c r, which is (1 + c) times the mix of alpha = c / (1 + c)."""
    normalise: Literal["none", "batch"] = "none"
    """``batch`` divides each part by its root mean square over the tokens of the step."""

    @model_validator(mode="after")
    def _one_weight(self) -> "MixObjective":
        if (self.alpha is None) == (self.opd_kl_coef is None):
            raise ValueError("type 'mix' takes alpha, or opd_kl_coef instead of it")
        return self

    @property
    def teacher_weight(self) -> float:
        """The alpha of the token advantages, converted from ``opd_kl_coef`` if need be."""
        if self.alpha is not None:
            return self.alpha
        coefficient = self.opd_kl_coef or 0.0
        return coefficient / (1 + coefficient)

    @property
    def notice(self) -> str | None:
        """What a conversion from ``opd_kl_coef`` means, in words; None without one."""
        if self.opd_kl_coef is None:
            return None
        scale = 1 + self.opd_kl_coef
        return (
            f"opd_kl_coef {self.opd_kl_coef:g} is trained as alpha {self.teacher_weight:.4g}:"
            f" A - c r is {scale:g} times that mix.\n"
            f"  Steps of the same size need max_grad_norm and AdamW's eps divided by {scale:g}"
            f" (SGD would need {scale:g} times the learning rate)."
        )


OnPolicyObjective = OpdObjective | RlvrObjective | MixObjective
Objective = Annotated[SftObjective | OnPolicyObjective, Field(discriminator="type")]
