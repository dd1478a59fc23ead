"""A linear softmax policy: its divergences, curvatures and gradients have closed forms."""

from types import SimpleNamespace

import torch
from torch import nn

from hodograph.gates.samples import padded
from hodograph.matrices.naming import role_of
from hodograph.matrices.pairing import Parameter
from hodograph.matrices.unfuse import Block

VOCABULARY, WIDTH = 7, 4


class LinearPolicy(nn.Module):
    """Logits W x of the current token alone, x a row of a fixed table."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.table = nn.Embedding(VOCABULARY, WIDTH)
        self.head = nn.Linear(WIDTH, VOCABULARY, bias=False)
        with torch.no_grad():
            self.table.weight.copy_(torch.randn(VOCABULARY, WIDTH, generator=generator))
            self.head.weight.copy_(torch.randn(VOCABULARY, WIDTH, generator=generator))

    def forward(self, input_ids, use_cache=False):
        return SimpleNamespace(logits=self.head(self.table(input_ids)))

    def get_input_embeddings(self):
        return self.table

    def get_output_embeddings(self):
        return self.head


def head_parameter():
    """The head as a parameter with one matrix."""
    block = Block("q_proj", 0, VOCABULARY, WIDTH, transposed=False, spectral=True)
    name = "head.weight"
    return Parameter(name, (name,), role_of(name), (block,), VOCABULARY * WIDTH)


def samples_of(lengths=(5, 6, 4, 6, 5, 4), start=2, group=2, rewards=None, seed=1):
    """Random token ids of these lengths; completions begin at `start`."""
    generator = torch.Generator().manual_seed(seed)
    ids = [torch.randint(VOCABULARY, (n,), generator=generator).tolist() for n in lengths]
    return padded(ids, [start] * len(ids), rewards, group)
