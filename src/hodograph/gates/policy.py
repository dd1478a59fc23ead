"""Gate I on the model's own samples: log-probabilities and divergences of policies.

N samples, B of them in one pass, S tokens, T = S - 1 predicted tokens, V vocabulary.
"""

from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hodograph.gates.samples import Samples

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def log_policy(
    model: "PreTrainedModel", ids_BS: Int[Tensor, "B S"], temperature: float
) -> Float[Tensor, "B T V"]:
    """Log-probability of every next token at the sampling temperature."""
    run: Any = model  # its declared call hides the outputs
    logits_BSV = run(input_ids=ids_BS, use_cache=False).logits
    return (logits_BSV[:, :-1].float() / temperature).log_softmax(dim=-1)


@torch.no_grad()
def divergence(
    model: "PreTrainedModel", other: "PreTrainedModel", samples: Samples, temperature: float
) -> Float[Tensor, " N"]:
    """KL(model ‖ other) summed over the tokens of each completion, in nats.

    At every token the sum over the vocabulary, p (log p - log q), is taken exactly; sampling enters
    through the prefixes alone. So it has no negative terms, and less spread than the log-ratio of
    the sampled token.
    """
    sums = []
    for rows in samples.chunks(vocabulary_of(model)):
        ours_BTV = log_policy(model, samples.ids_NS[rows], temperature).double()
        theirs_BTV = log_policy(other, samples.ids_NS[rows], temperature).double()
        each_BT = (ours_BTV.exp() * (ours_BTV - theirs_BTV)).sum(dim=-1)
        sums.append((each_BT * samples.scored_NT[rows]).sum(dim=1))
    return torch.cat(sums)


@torch.no_grad()
def sampled_log_probs(
    model: "PreTrainedModel", samples: Samples, temperature: float
) -> Float[Tensor, "N T"]:
    """Log-probability of the tokens that were sampled; 0 outside the completions."""
    found = []
    for rows in samples.chunks(vocabulary_of(model)):
        ids_BS = samples.ids_NS[rows]
        logps_BT = of_labels(log_policy(model, ids_BS, temperature), ids_BS[:, 1:])
        found.append(torch.where(samples.scored_NT[rows], logps_BT, 0.0))
    return torch.cat(found)


def of_labels(
    logps_BTV: Float[Tensor, "B T V"], labels_BT: Int[Tensor, "B T"]
) -> Float[Tensor, "B T"]:
    """Log-probability of one label a token."""
    return logps_BTV.gather(2, labels_BT[..., None])[..., 0]


def vocabulary_of(model: "PreTrainedModel") -> int:
    """Rows of the output head."""
    head: Any = model.get_output_embeddings()  # its declared type may be None
    return int(head.weight.shape[0])
