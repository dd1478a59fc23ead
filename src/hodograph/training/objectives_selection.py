"""Which tokens of a completion are kept, and what they weigh, as pure functions.

Shapes: B completions, T tokens a completion.
"""

from jaxtyping import Bool, Float
from torch import Tensor


def leading_tokens(
    scores_BT: Float[Tensor, "B T"], mask_BT: Float[Tensor, "B T"], rho: float
) -> Bool[Tensor, "B T"]:
    """Return the round(rho T) tokens of each completion with the highest scores, at least one.

    T counts the tokens of `mask_BT`; halves round to even. Of equal scores the earlier token wins.
    """
    candidates_BT = scores_BT.masked_fill(mask_BT == 0, -float("inf"))
    order_BT = candidates_BT.argsort(dim=1, descending=True, stable=True)
    place_BT = order_BT.argsort(dim=1)
    count_B = (rho * mask_BT.sum(dim=1)).round().clamp(min=1)
    return (place_BT < count_B[:, None]) & mask_BT.bool()


def token_weights(
    kept_BT: Bool[Tensor, "B T"], mask_BT: Float[Tensor, "B T"], compensate: bool
) -> Float[Tensor, "B T"]:
    """Weight m_t of each token, or m_t T / sum(m) when `compensate`: then they sum to T again."""
    weights_BT = kept_BT.to(mask_BT.dtype)
    if not compensate:
        return weights_BT
    return weights_BT * (mask_BT.sum(dim=1) / weights_BT.sum(dim=1).clamp(min=1))[:, None]
