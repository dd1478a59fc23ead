"""Token advantages of the on-policy objectives, as pure functions.

Shapes: B completions, G completions a prompt (B = prompts x G), T tokens a completion.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hodograph.world import ALONE, World


def log_ratio(
    student_logps_BT: Float[Tensor, "B T"],
    teacher_logps_BT: Float[Tensor, "B T"],
    mask_BT: Float[Tensor, "B T"],
) -> Float[Tensor, "B T"]:
    """Sampled-token gap r_t = log p_student(a_t) - log p_teacher(a_t); 0 where `mask_BT` is.

    Both log-probabilities are taken at the sampling temperature. Averaged over the student's own
    tokens it estimates KL(student || teacher) a token, in nats.
    """
    return (student_logps_BT - teacher_logps_BT) * mask_BT


def token_advantages(
    outcome_B: Float[Tensor, " B"],
    gap_BT: Float[Tensor, "B T"] | None,
    mask_BT: Float[Tensor, "B T"],
    alpha: float,
) -> Float[Tensor, "B T"]:
    """Advantages A_t = alpha (-r_t) + (1 - alpha) A(y), 0 where `mask_BT` is.

    alpha = 1 is on-policy distillation, alpha = 0 a policy gradient on the outcome alone
    (Shen et al., arXiv 2606.07082, section 3). The sum is raw: nothing is normalised.
    `gap_BT` may be None when alpha is 0.
    """
    advantages_BT = (1 - alpha) * outcome_B[:, None] * mask_BT
    return advantages_BT if gap_BT is None else advantages_BT - alpha * gap_BT


def inverse_rms(
    values_BT: Float[Tensor, "B T"], mask_BT: Float[Tensor, "B T"], world: World = ALONE
) -> Float[Tensor, ""]:
    """1 / root mean square of `values_BT` over the tokens of `mask_BT`; 0 when all are 0.

    The tokens are those of all processes of `world`.
    """
    squares, tokens = (values_BT.square() * mask_BT).sum(), mask_BT.sum()
    total, count = world.total(torch.stack([squares, tokens]))
    mean_square = total / count
    return torch.where(mean_square > 0, mean_square.rsqrt(), 0.0)


def varied_groups(rewards_B: Float[Tensor, " B"], group_size: int) -> Bool[Tensor, " B"]:
    """Return which completions belong to a group whose rewards are not all equal."""
    rewards_PG = rewards_B.view(-1, group_size)
    varied_P = rewards_PG.amax(dim=1) > rewards_PG.amin(dim=1)
    return varied_P.repeat_interleave(group_size)


def masked_outcomes(
    outcome_B: Float[Tensor, " B"],
    keep_B: Bool[Tensor, " B"],
    mask_BT: Float[Tensor, "B T"],
    aggregation: str,
    world: World = ALONE,
) -> Float[Tensor, " B"]:
    """Zero the outcomes of completions outside `keep_B`, as if they had not been sampled.

    The loss divides by all tokens (`token-mean`) or by all completions (`seq-mean-token-mean`),
    so what is kept is scaled by all / kept: the outcome's part of the loss and of its gradient is
    then that of the kept completions alone, over all processes of `world`. With nothing kept the
    outcomes are 0.
    """
    weight_B = mask_BT.sum(dim=1) if aggregation == "token-mean" else torch.ones_like(mask_BT[:, 0])
    kept, everything = world.total(torch.stack([(weight_B * keep_B).sum(), weight_B.sum()]))
    scale = everything / kept if kept > 0 else kept
    return outcome_B * keep_B * scale


def averaged(
    terms_BT: Float[Tensor, "B T"],
    mask_BT: Float[Tensor, "B T"],
    aggregation: str,
    batch_tokens: Float[Tensor, ""],
    micro_batches: int,
    processes: int = 1,
) -> Float[Tensor, ""]:
    """Share of one micro-batch in the step's mean of `terms_BT`; the shares add up to the mean.

    `token-mean` divides by the `batch_tokens` of all micro-batches, `seq-mean-token-mean` by the
    completions, after each one's mean over its own tokens. Gradients of several `processes`, each
    with as many completions, are then averaged, not added.
    """
    if aggregation == "token-mean":
        return (terms_BT * mask_BT).sum() * processes / batch_tokens
    means_B = (terms_BT * mask_BT).sum(dim=1) / mask_BT.sum(dim=1)
    return means_B.mean() / micro_batches
