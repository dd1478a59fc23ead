"""Resampling: groups of equal rewards are replaced by groups of other prompts.

Point: between generation and the advantages of a step. The prompts are a function of seed, step
and attempt, so that resuming repeats them.

Shapes: B completions (prompts x G), P prompt tokens, T completion tokens.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.nn.functional import pad

from hodograph.training.objectives import varied_groups

Batch = dict[str, Any]
Rows = list[dict[str, Any]]  # of the prompt dataset
Spare = Callable[[int, int, int], Rows]  # step, attempt, prompts


@dataclass(frozen=True)
class Resampling:
    """Replaces groups without signal, at most `max_tries` times a step."""

    spare: Spare
    max_tries: int
    group_size: int

    def fill(
        self, batch: Batch, step: int, draw: Callable[[Rows, int], Batch], pad_token_id: int
    ) -> tuple[Batch, int]:
        """Return the batch with groups replaced while any has equal rewards, and how many were.

        Args:
            batch: as generated, with `rewards` of each completion.
            step: of the training.
            draw: generates and scores rows (one a completion) as an attempt of the step.
            pad_token_id: fills rows to one length.
        """
        replaced = 0
        for attempt in range(1, self.max_tries + 1):
            equal_B = ~varied_groups(batch["rewards"], self.group_size)
            groups = int(equal_B.sum()) // self.group_size
            if groups == 0:
                break
            rows = [r for r in self.spare(step, attempt, groups) for _ in range(self.group_size)]
            batch = _replaced(batch, equal_B, draw(rows, attempt), pad_token_id)
            replaced += groups
        return batch, replaced


def _replaced(batch: Batch, where_B: Tensor, fresh: Batch, pad_token_id: int) -> Batch:
    """Put the rows of `fresh` where `where_B` says, all rows padded to one length."""
    out = dict(batch)
    for name, values in batch.items():
        if name == "num_items_in_batch":
            continue
        fill = pad_token_id if name.endswith("_ids") else 0
        length = max(values.size(-1), fresh[name].size(-1)) if values.ndim > 1 else 0
        left = name.startswith("prompt")
        merged = _padded(values, length, fill, left).clone()
        merged[where_B] = _padded(fresh[name], length, fill, left)
        out[name] = merged
    out["num_items_in_batch"] = out["completion_mask"].sum()
    return out


def _padded(values: Tensor, length: int, fill: int, left: bool) -> Tensor:
    if values.ndim == 1:
        return values
    missing = length - values.size(1)
    return pad(values, (missing, 0) if left else (0, missing), value=fill)
