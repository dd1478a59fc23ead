"""Token selection: only some tokens of each completion carry the signal.

Point: the advantages (or the divergences) of a scored micro-batch are multiplied by the weights.

Shapes: B completions, T tokens a completion.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from hodograph.recipes import PositionSelection, Selection
from hodograph.tasks.task import stream_seed
from hodograph.training.objectives_selection import leading_tokens, token_weights


@dataclass(frozen=True)
class TokenScores:
    """What tokens can be ranked by.

    Attributes:
        gap_BT: log-ratio of student to teacher; None without a teacher.
        entropy_BT: the student's entropy, in nats.
        lot_BT: uniform random numbers.
    """

    gap_BT: Tensor | None
    entropy_BT: Tensor
    lot_BT: Tensor


@dataclass(frozen=True)
class TokenSelection:
    """Selection as a recipe sets it (Shen et al., arXiv 2606.07082, token sparsification)."""

    settings: Selection
    seed: int

    def lots(self, step: int, first: int, shape: torch.Size) -> Float[Tensor, "B T"]:
        """Return random numbers, a function of seed, step and the completion's place in the batch.

        So they are the same when a run is resumed, and however its batch is spread over processes.

        Args:
            step: of the training.
            first: place of the first completion in the batch of all processes.
            shape: B x T.
        """
        lots_BT = torch.empty(shape)
        for row, lots_T in enumerate(lots_BT):
            seed = stream_seed("lots", self.seed, step, first + row)
            lots_T.uniform_(generator=torch.Generator().manual_seed(seed))
        return lots_BT

    def weights(self, scores: TokenScores, mask_BT: Float[Tensor, "B T"]) -> Float[Tensor, "B T"]:
        """Return what each token's signal is multiplied by; 0 for tokens that are not kept."""
        kept_BT = leading_tokens(self._ranked(scores), mask_BT, self.settings.rho)
        return token_weights(kept_BT, mask_BT, self.settings.compensate)

    def _ranked(self, scores: TokenScores) -> Tensor:
        if isinstance(self.settings, PositionSelection):
            places_T = torch.arange(scores.lot_BT.size(1), device=scores.lot_BT.device).float()
            sign = 1 if self.settings.where == "last" else -1
            return (sign * places_T).expand_as(scores.lot_BT)
        if self.settings.type == "entropy":
            return scores.entropy_BT
        if self.settings.type == "random":
            return scores.lot_BT
        assert scores.gap_BT is not None  # the recipe's validation saw to a teacher
        return scores.gap_BT if self.settings.type == "largest_gap" else -scores.gap_BT
