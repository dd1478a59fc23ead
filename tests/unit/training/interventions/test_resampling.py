"""Groups of equal rewards are replaced, rows padded, tries bounded."""

from typing import Any

import torch

from hodograph.training.interventions.resampling import Resampling

PAD = 9


def batch(rewards: list[float], prompt: int, completion: int, value: int) -> dict[str, Any]:
    """A generated batch whose token ids are all `value`."""
    rows = len(rewards)
    return {
        "prompt_ids": torch.full((rows, prompt), value),
        "prompt_mask": torch.ones(rows, prompt, dtype=torch.long),
        "completion_ids": torch.full((rows, completion), value),
        "completion_mask": torch.ones(rows, completion, dtype=torch.long),
        "advantages": torch.full((rows,), float(value)),
        "rewards": torch.tensor(rewards),
        "num_items_in_batch": torch.tensor(rows * completion),
    }


def spare(step: int, attempt: int, prompts: int) -> list[dict[str, Any]]:
    return [{"prompt": f"{step}.{attempt}.{i}"} for i in range(prompts)]


def test_groups_of_equal_rewards_are_replaced_until_all_vary() -> None:
    asked: list[list[str]] = []

    def draw(rows: list[dict[str, Any]], attempt: int) -> dict[str, Any]:
        asked.append([row["prompt"] for row in rows])
        rewards = [0.0, 1.0, 1.0, 1.0] if attempt == 1 else [1.0, 0.0]
        return batch(rewards[: len(rows)], prompt=4, completion=1, value=attempt)

    first = batch([0.0, 0.0, 0.0, 1.0, 1.0, 1.0], prompt=2, completion=3, value=5)
    filled, replaced = Resampling(spare, max_tries=5, group_size=2).fill(first, 7, draw, PAD)
    assert replaced == 3
    assert asked == [["7.1.0"] * 2 + ["7.1.1"] * 2, ["7.2.0"] * 2]
    assert filled["rewards"].tolist() == [0.0, 1.0, 0.0, 1.0, 1.0, 0.0]
    assert filled["advantages"].tolist() == [1.0, 1.0, 5.0, 5.0, 2.0, 2.0]
    assert filled["prompt_ids"][::2].tolist() == [[1] * 4, [PAD, PAD, 5, 5], [2] * 4]
    assert filled["prompt_mask"][::2].tolist() == [[1] * 4, [0, 0, 1, 1], [1] * 4]
    assert filled["completion_ids"][::2].tolist() == [[1, PAD, PAD], [5, 5, 5], [2, PAD, PAD]]
    assert filled["num_items_in_batch"] == 2 * (1 + 3 + 1)


def test_tries_are_bounded_and_a_batch_that_varies_is_left_alone() -> None:
    def dull(rows: list[dict[str, Any]], attempt: int) -> dict[str, Any]:
        return batch([0.0] * len(rows), prompt=2, completion=2, value=attempt)

    resampling = Resampling(spare, max_tries=3, group_size=2)
    filled, replaced = resampling.fill(batch([1.0, 1.0, 0.0, 1.0], 2, 2, 5), 0, dull, PAD)
    assert replaced == 3
    assert filled["advantages"].tolist() == [3.0, 3.0, 5.0, 5.0]

    varied = batch([0.0, 1.0], 2, 2, 5)
    filled, replaced = resampling.fill(varied, 0, dull, PAD)
    assert replaced == 0
    assert filled is varied
