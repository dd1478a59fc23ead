"""Gate I of the whole model: the quadratic form of the Fisher information along an update.

Dᵀ F D of one token is the variance, under the policy, of the logits' derivative along D. So no
label is drawn: one forward-mode pass gives it exactly.

B samples of one pass, T predicted tokens, V vocabulary.
"""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd import forward_ad
from torch.func import functional_call

from hodograph.gates.policy import vocabulary_of
from hodograph.gates.samples import Samples

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Direction = Mapping[str, Tensor]


@torch.no_grad()
def quadratic(
    model: "PreTrainedModel", direction: Direction, samples: Samples, temperature: float
) -> float:
    """Dᵀ F D / 2 in nats a token, mean over the tokens of the completions.

    Args:
        model: where F is taken; its attention must be differentiable forwards ("eager").
        direction: D by the names of the model's parameters; a missing one does not move.
        samples: the policy's own.
        temperature: of the policy.
    """
    total = 0.0
    for rows in samples.chunks(vocabulary_of(model)):
        logits_BTV, slope_BTV = _derivative(model, direction, samples.ids_NS[rows])
        chance_BTV = (logits_BTV.double() / temperature).softmax(dim=-1)
        slope_BTV = slope_BTV.double() / temperature
        centred_BTV = slope_BTV - (chance_BTV * slope_BTV).sum(dim=-1, keepdim=True)
        each_BT = (chance_BTV * centred_BTV.square()).sum(dim=-1)
        total += float((each_BT * samples.scored_NT[rows]).sum())
    return total / (2 * samples.answer_tokens)


def isotropic(direction: Direction, seed: int) -> dict[str, Tensor]:
    """A random update with the norm of D in every tensor."""
    generator = torch.Generator().manual_seed(seed)
    drawn = {}
    for name in sorted(direction):
        update = direction[name]
        noise = torch.randn(update.shape, generator=generator, dtype=update.dtype)
        drawn[name] = noise * (update.norm() / noise.norm())
    return drawn


def update_of(base: "PreTrainedModel", tuned: "PreTrainedModel") -> dict[str, Tensor]:
    """D of every parameter of a model; tied ones once."""
    later = dict(tuned.named_parameters())
    return {name: (later[name] - weight).detach() for name, weight in base.named_parameters()}


def norm_of(tensors: Direction) -> float:
    """Frobenius norm over several tensors."""
    return sum(float(one.detach().double().square().sum()) for one in tensors.values()) ** 0.5


def _derivative(
    model: "PreTrainedModel", direction: Direction, ids_BS: Tensor
) -> tuple[Float[Tensor, "B T V"], Float[Tensor, "B T V"]]:
    """Logits and their derivative along a direction."""
    with forward_ad.dual_level(), _quiet():
        weights = {
            name: forward_ad.make_dual(weight.detach(), direction[name])
            for name, weight in model.named_parameters()
            if name in direction
        }
        options = {"input_ids": ids_BS, "use_cache": False}
        outputs = functional_call(model, weights, kwargs=options)
        logits, slope = forward_ad.unpack_dual(outputs.logits[:, :-1])
    return logits, torch.zeros_like(logits) if slope is None else slope


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep quiet that torch itself still scripts its forward derivatives the first time."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated", DeprecationWarning)
        yield
