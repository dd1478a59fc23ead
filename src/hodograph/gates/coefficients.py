"""Gate II: what each token's log-probability is multiplied by, and its nulls.

N samples in groups of one prompt, T predicted tokens.
"""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

Coefficients = dict[str, list[Float[Tensor, "N T"]]]


def group_normalised(rewards_N: Float[Tensor, " N"], group: int) -> Float[Tensor, " N"]:
    """(reward - mean) / standard deviation within each group; 0 where all are alike (GRPO)."""
    rewards_PG = rewards_N.reshape(-1, group)
    spread_P1 = rewards_PG.std(dim=1, keepdim=True)
    centred_PG = rewards_PG - rewards_PG.mean(dim=1, keepdim=True)
    alike_P1 = rewards_PG.amax(dim=1, keepdim=True) == rewards_PG.amin(dim=1, keepdim=True)
    return torch.where(alike_P1, 0.0, centred_PG / spread_P1).flatten()


def coefficients(
    shared_N: Float[Tensor, " N"] | None,
    per_token_NT: Float[Tensor, "N T"] | None,
    scored_NT: Bool[Tensor, "N T"],
    draws: int,
    seed: int,
) -> Coefficients:
    """Coefficients of every kind in hodograph.tables.gates.KINDS; one draw where none is random.

    A permutation keeps the values, zeros included, and forgets where they were. Signs keep only
    whether tokens of one sample share their coefficient.

    Args:
        shared_N: one a sample; None, or all 0, where no reward tells samples apart.
        per_token_NT: one a token; None without a teacher.
        scored_NT: tokens of the completions.
        draws: of each random kind.
        seed: of the draws.
    """
    generator = torch.Generator().manual_seed(seed)
    kinds: Coefficients = {}

    def repeated(draw: Callable[[], Tensor]) -> list[Tensor]:
        return [draw() for _ in range(draws)]

    def spread(values_N: Tensor) -> Tensor:
        return values_N[:, None] * scored_NT

    samples = len(scored_NT)
    if shared_N is not None and bool(shared_N.any()):
        kinds["shared"] = [spread(shared_N)]
        kinds["shared_permuted"] = repeated(
            lambda: spread(shared_N[torch.randperm(samples, generator=generator)])
        )
    if per_token_NT is not None:
        kinds["per_token"] = [per_token_NT * scored_NT]
        kinds["per_token_permuted"] = repeated(
            lambda: _permuted(per_token_NT, scored_NT, generator)
        )
    kinds["shared_signs"] = repeated(lambda: spread(_signs((samples,), generator)))
    kinds["per_token_signs"] = repeated(lambda: _signs(scored_NT.shape, generator) * scored_NT)
    return kinds


def _permuted(values_NT: Tensor, scored_NT: Tensor, generator: torch.Generator) -> Tensor:
    values = values_NT[scored_NT]
    moved_NT = torch.zeros_like(values_NT)
    moved_NT[scored_NT] = values[torch.randperm(len(values), generator=generator)]
    return moved_NT


def _signs(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return 2.0 * torch.randint(2, shape, generator=generator) - 1.0
