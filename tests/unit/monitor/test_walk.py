"""One matrix on planted paths: the lock so far is found where there is one, and nowhere else."""

import pytest
import torch
from torch import Tensor

from hodograph.diagnostics.path import Spent
from hodograph.monitor.logged import logged
from hodograph.monitor.walk import MatrixWalk, Row
from hodograph.tables.thresholds import LockThresholds

ROWS, COLS, LOOKS = 96, 80, 6
UNKNOWN = Spent()


def base() -> Tensor:
    return torch.randn(ROWS, COLS, generator=torch.Generator().manual_seed(0)) * 0.05


def increments(kind: str) -> list[Tensor]:
    """Steps in one channel of four directions, in fresh ones, or in the channel half of the way."""
    generator = torch.Generator().manual_seed(1)

    def random(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    channel_KN = torch.linalg.qr(random(COLS, 4)).Q.T
    steps = []
    for look in range(LOOKS):
        inside = kind == "locked" or (kind == "left" and look < LOOKS // 2)
        right_KN = channel_KN if inside else torch.linalg.qr(random(COLS, 4)).Q.T
        steps.append(1e-3 * random(ROWS, 4) @ right_KN)
    return steps


def walked(kind: str, dtype: torch.dtype = torch.float32) -> tuple[MatrixWalk, list[Row]]:
    walk = MatrixWalk(spectral=True, references=8, thresholds=LockThresholds())
    weights = [base()]
    for step in increments(kind):
        weights.append(weights[-1] + step)
    stored = [w.to(dtype) for w in weights]
    rows = [
        walk.add(10 * t, stored[0], stored[t - 1], stored[t], UNKNOWN) for t in range(1, LOOKS + 1)
    ]
    return walk, rows


def test_a_lock_is_seen_from_its_first_look_on() -> None:
    walk, rows = walked("locked")
    assert walk.standing == ("locked", 10)
    for row in rows[2:]:
        assert all(value > 0.99 for value in row["capture16"].values())
    assert [sorted(row["capture16"]) for row in rows[:4]] == [[], [], [10], [10, 20]]
    assert rows[-1]["stable_rank"] <= 4.1


def test_fresh_directions_are_chance_and_not_locked() -> None:
    walk, rows = walked("fresh")
    assert walk.standing == ("not locked", None)
    captures = [value for row in rows for value in row["capture16"].values()]
    assert len(captures) == 1 + 2 + 3 + 4
    assert abs(sum(captures) / len(captures)) < 0.1
    assert rows[-1]["sim16"][10] > rows[-1]["sim16_chance"]  # which a Sim of whole updates hides


def test_a_lock_that_is_left_is_lost() -> None:
    walk, _ = walked("left")
    assert walk.standing == ("not locked", None)
    walk.captured[30] = [0.9, 0.8]  # a later subspace that holds what came after it
    assert walk.standing == ("locked", 30)


def test_what_sinks_into_rounding_is_not_counted() -> None:
    walk = MatrixWalk(spectral=True, references=8, thresholds=LockThresholds())
    start = base().to(torch.bfloat16)
    flips = [start]
    for look in range(4):  # one ULP in a few weights a look: no more than rounding makes
        tuned = flips[-1].clone()
        tuned.view(torch.int16)[look] += 1
        flips.append(tuned)
    rows = [walk.add(t, start, flips[t - 1], flips[t], UNKNOWN) for t in range(1, 5)]
    assert rows[-1]["capture16"]
    assert walk.captured == {}
    assert walk.standing == ("undetermined", None)


def test_no_update_and_no_increment_have_no_subspace() -> None:
    walk = MatrixWalk(spectral=True, references=2, thresholds=LockThresholds())
    start = base()
    row = walk.add(1, start, start, start, UNKNOWN)
    assert row["update_sparsity"] == 1
    assert row["relative_norm"] == 0
    assert "stable_rank" not in row
    moved = start + increments("fresh")[0]
    assert "sim16_previous" not in walk.add(2, start, start, moved, UNKNOWN)
    stood = walk.add(3, start, moved, moved, UNKNOWN)
    assert stood["capture16"] == {}
    assert stood["sim16_previous"] == pytest.approx(1)
    row["entries"] = start.numel()
    assert logged([row], [walk], 0) == {"geometry/update_sparsity": 1, "geometry/relative_norm": 0}


def test_means_weigh_sparsity_by_entries_and_leave_out_what_is_missing() -> None:
    rows = [
        {"entries": 1, "update_sparsity": 0.0, "kappa": 0.5, "sim16": {2: 0.5, 4: 0.1}},
        {"entries": 3, "update_sparsity": 1.0, "kappa": None, "sim16": {2: 1.0}},
    ]
    walks = [MatrixWalk(True, 1, LockThresholds(), captured=c) for c in
             ({4: [0.9, 0.6]}, {2: [0.6, 0.7]}, {2: [0.9, 0.1]}, {2: [0.9]})]  # fmt: skip
    assert logged(rows, walks, 3) == pytest.approx(
        {
            "geometry/update_sparsity": 0.75,
            "geometry/kappa": 0.5,
            "geometry/sim16/step_2": 0.75,
            "geometry/sim16/step_4": 0.1,
            "geometry/locked": 2 / 3,
            "geometry/lock_step": 3,
            "geometry/nonfinite_matrices": 3,
        }
    )
