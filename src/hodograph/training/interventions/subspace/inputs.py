"""The subspace of a layer's inputs, which is known before any training.

The right singular space of a gradient lies in the span of the layer's inputs, since a gradient is
a sum of (output error) x (input)ᵀ. N inputs of a layer, K directions.
"""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from scipy.linalg import eigh
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from hodograph.inputs.moments import find_sites, modules_of, passes, second_moments
from hodograph.inputs.tokens import Sequences
from hodograph.tasks import Example
from hodograph.training.interventions.subspace.basis import Bases, inputs_of, require_rank
from hodograph.training.texts import text_ids


def input_bases(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    weights: dict[str, nn.Parameter],
    examples: Sequence[Example],
    rank: int,
) -> Bases:
    """The `rank` leading eigenvectors of E[x xᵀ] of each layer's inputs x, over all tokens.

    Args:
        model: as it is now; its mode and random numbers are left alone.
        tokenizer: turns the examples into tokens.
        weights: of linear layers, by parameter name.
        examples: read as prompt and demonstration.
        rank: fewer directions come back where the inputs span fewer, none where a layer was not
            called (an expert that no token chose).

    Raises:
        SettingsError: a rank above the inputs of a matrix.
    """
    require_rank(rank, {name: weight.shape for name, weight in weights.items()})
    sequences = Sequences([text_ids(example, tokenizer) for example in examples], cut=0)
    batches = [ids_BS.to(model.device) for ids_BS in sequences.batches()]
    modules = modules_of(model, list(weights))
    training = model.training
    model.eval()
    found: Bases = {}
    for group in passes(find_sites(model, list(modules.values()), batches[0])):
        moments = second_moments(model, group, batches, lambda: None)
        for site in group:
            v_NK = leading_eigenvectors(moments.pop(site), rank)
            found |= dict.fromkeys(site.modules, v_NK)
    model.train(training)
    return {
        name: found.get(modules[name], torch.zeros(inputs_of(name, weight.shape), 0))
        for name, weight in weights.items()
    }


def leading_eigenvectors(moment_NN: Float[Tensor, "N N"], rank: int) -> Float[Tensor, "N K"]:
    """Orthonormal eigenvectors of the largest eigenvalues, leaving out those that are rounding."""
    size = len(moment_NN)
    found: Any = eigh(moment_NN.numpy(), subset_by_index=[size - rank, size - 1])
    values, vectors = (torch.from_numpy(array) for array in found)
    floor = size * torch.finfo(torch.float32).eps * values[-1].clamp(min=0)
    return vectors[:, values > floor].flip(1)
