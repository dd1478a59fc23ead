"""From the scores of a micro-batch to the signal of each token, and what is logged of it.

Shapes: B completions, T completion tokens.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from hodograph.training.interventions.divergence import Scores
from hodograph.training.interventions.selection import TokenScores, TokenSelection
from hodograph.training.objectives import log_ratio, token_advantages
from hodograph.training.tally import Tally

Batch = dict[str, Any]


@dataclass(frozen=True)
class TokenSignal:
    """What TRL's loss reads, and the weights that another loss shares with it.

    Attributes:
        loss_inputs: `advantages`, and `old_per_token_logps` where the ratio is not 1.
        weights_BT: of the selection; 1.0 without one.
    """

    loss_inputs: dict[str, Tensor]
    weights_BT: Tensor | float


@dataclass
class SignalRule:
    """How advantages are mixed, selected and corrected for who answered.

    Attributes:
        alpha: share of the teacher's log-ratio.
        normalise: scale the log-ratio by the batch's `gap_scale`.
        full_kl: whether a divergence takes the place of the log-ratio's advantage.
        selection: tokens that carry the signal.
        true_ratio: take the ratio to the teacher where it answered.
        tally: what was seen since the last log.
    """

    alpha: float
    normalise: bool
    full_kl: bool
    selection: TokenSelection | None
    true_ratio: bool
    tally: Tally = field(default_factory=Tally)

    def of(self, inputs: Batch, scores: Scores) -> TokenSignal:
        """Return the signal of a micro-batch."""
        mask_BT = inputs["completion_mask"].float()
        gap_BT = gap(scores, mask_BT)
        self._note(inputs, gap_BT, mask_BT)
        weights_BT = self._weights(inputs, scores, gap_BT, mask_BT)
        advantages_BT = self._advantages(inputs, gap_BT, mask_BT)
        loss_inputs = {"advantages": advantages_BT * weights_BT}
        if self.true_ratio:
            theirs_BT: Any = scores.teacher_logps_BT
            own_BT, by_teacher_B1 = scores.logps_BT.detach(), inputs["by_teacher"][:, None]
            loss_inputs["old_per_token_logps"] = torch.where(by_teacher_B1, theirs_BT, own_BT)
        return TokenSignal(loss_inputs, weights_BT)

    def _advantages(self, inputs: Batch, gap_BT: Tensor | None, mask_BT: Tensor) -> Tensor:
        outcome_B = inputs["advantages"]
        if self.full_kl:
            return torch.zeros_like(mask_BT)
        if gap_BT is not None and self.normalise:
            gap_BT = gap_BT * inputs["gap_scale"]
        if gap_BT is not None and 0 < self.alpha < 1:
            outcome_BT = (1 - self.alpha) * outcome_B[:, None].expand_as(mask_BT)
            self.tally.add("mix/opd_rms", (self.alpha * gap_BT).square(), mask_BT)
            self.tally.add("mix/reward_rms", outcome_BT.square(), mask_BT)
        return token_advantages(outcome_B, gap_BT, mask_BT, self.alpha)

    def _weights(
        self, inputs: Batch, scores: Scores, gap_BT: Tensor | None, mask_BT: Tensor
    ) -> Tensor | float:
        if self.selection is None:
            return 1.0
        ranked = TokenScores(gap_BT, scores.entropy_BT.detach(), inputs["lots"])
        weights_BT = self.selection.weights(ranked, mask_BT)
        kept_BT = (weights_BT > 0).float()
        self.tally.add("selection/kept", kept_BT, mask_BT)
        if gap_BT is not None:
            self.tally.add("selection/gap", gap_BT, kept_BT)
        return weights_BT

    def _note(self, inputs: Batch, gap_BT: Tensor | None, mask_BT: Tensor) -> None:
        """Over the student's own tokens r estimates KL(student || teacher), else -r the other."""
        theirs_B = inputs.get("by_teacher", torch.zeros_like(mask_BT[:, 0])).float()
        if "by_teacher" in inputs:
            self.tally.add("rollout/teacher", theirs_B, torch.ones_like(theirs_B))
        if gap_BT is not None:
            theirs_BT = theirs_B[:, None] * mask_BT
            self.tally.add("opd/reverse_kl", gap_BT, mask_BT - theirs_BT)
            self.tally.add("opd/forward_kl", -gap_BT, theirs_BT)


def gap(scores: Scores, mask_BT: Tensor) -> Any:
    """Return the log-ratio of the sampled tokens, held fixed; None without a teacher."""
    if scores.teacher_logps_BT is None:
        return None
    return log_ratio(scores.logps_BT.detach(), scores.teacher_logps_BT, mask_BT)
