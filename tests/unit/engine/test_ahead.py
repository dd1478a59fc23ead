"""What lies ahead, against plain definitions by full SVDs, and locks planted in checkpoints."""

import pandas as pd
import pytest
import torch

from hodograph import measure
from hodograph.tables.thresholds import LockThresholds

ROWS, COLS, CHECKPOINTS, LAYERS, K = 48, 64, 6, 3, 16
NAME = "model.layers.{}.self_attn.q_proj.weight"


def low_rank(rank, generator):
    left = torch.randn(ROWS, rank, generator=generator)
    right = torch.randn(rank, COLS, generator=generator)
    return left, right


def trajectory(kind, seed, size=1e-3, rank=4):
    generator = torch.Generator().manual_seed(seed)
    left, right = low_rank(rank, generator)
    weights = [0.05 * torch.randn(ROWS, COLS, generator=generator)]
    for step in range(1, CHECKPOINTS + 1):
        if kind == "lock" or (kind == "leaves" and step <= CHECKPOINTS // 2):
            update = (left * (1 + 0.3 * torch.randn(rank, generator=generator))) @ right
        elif kind == "walk":
            update = 2 * torch.randn(ROWS, COLS, generator=generator)
        else:
            one, other = low_rank(rank, generator)
            update = one @ other
        noise = 0.1 * torch.randn(ROWS, COLS, generator=generator)
        weights.append(weights[-1] + size * (update + noise))
    return weights


@pytest.fixture
def planted_run(tmp_path, write_checkpoint):
    def write(kind, dtype=torch.float32, **options):
        paths = [trajectory(kind, seed, **options) for seed in range(LAYERS)]
        return [
            write_checkpoint(
                tmp_path / kind / f"step_{10 * step}",
                {NAME.format(i): path[step].to(dtype) for i, path in enumerate(paths)},
            )
            for step in range(CHECKPOINTS + 1)
        ]

    return write


def measured(folders, **options):
    return measure(folders[0], folders[1:], permutations=1, **options)


def top(matrix):
    return torch.linalg.svd(matrix.double(), full_matrices=False)[2][:K]


def similarity(first, second):
    return float((top(first) @ top(second).T).square().sum() / K)


def test_columns_equal_their_definitions(planted_run):
    weights = trajectory("leaves", 0)
    rows = measured(planted_run("leaves")).matrices
    rows = rows[rows["parameter"] == NAME.format(0)].reset_index(drop=True)
    for t in range(1, CHECKPOINTS):
        early, step = weights[t] - weights[0], weights[t] - weights[t - 1]
        left, following = weights[-1] - weights[t], weights[t + 1] - weights[t]
        row = rows.loc[t - 1]
        assert row["sim16_disjoint"] == pytest.approx(similarity(early, left), rel=1e-6)
        assert row["sim16_adjacent"] == pytest.approx(similarity(step, following), rel=1e-6)
        assert row["sim16_disjoint_chance"] == row["sim16_adjacent_chance"] == K / COLS
    for t in range(1, CHECKPOINTS - 1):
        rest = (weights[-1] - weights[t + 1]).double()
        energies = torch.linalg.svdvals(rest).square()
        inside = (rest @ top(weights[t] - weights[0]).T).square().sum() / energies.sum()
        best = energies[:K].sum() / energies.sum()
        whole = (weights[-1] - weights[0]).double().square().sum()
        row = rows.loc[t - 1]
        expected = (inside - K / COLS) / (best - K / COLS)
        assert row["capture16"] == pytest.approx(float(expected), rel=1e-6)
        assert row["rest_energy"] == pytest.approx(float(energies.sum() / whole), rel=1e-6)
    assert rows["capture16"].isna().to_list() == [False] * 4 + [True] * 2
    assert rows["sim16_disjoint"].isna().to_list() == [False] * 5 + [True]
    assert float(rows["certificate_ahead"].max()) < 1e-6


def test_sim_16_misses_a_lock_of_few_directions_and_capture_does_not(planted_run):
    rows = measured(planted_run("lock", rank=2)).matrices
    assert float(rows["sim16_disjoint"].max()) < 0.5
    assert float(rows["capture16"].min()) > 0.9


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    ("kind", "verdict"),
    [("lock", "locked"), ("leaves", "not locked"), ("new", "not locked"), ("walk", "not locked")],
)
def test_planted_locks_and_impostors(planted_run, kind, verdict, dtype):
    (entry,) = measured(planted_run(kind, dtype)).summary["lock"].values()
    assert entry["verdict"] == verdict
    assert entry["step"] == (10.0 if verdict == "locked" else None)


def test_a_lock_below_rounding_is_undetermined_and_not_denied(planted_run):
    measurement = measured(planted_run("lock", size=2e-5), also_bf16=True)
    found = {storage: one["verdict"] for storage, one in measurement.summary["lock"].items()}
    assert found == {"float32": "locked", "bfloat16": "undetermined"}
    rows = measurement.matrices
    seen = rows[rows["storage"] == "bfloat16"]
    assert float(seen["rest_over_noise"].max()) < 4
    assert float(rows.loc[rows["storage"] == "float32", "rest_over_noise"].min()) > 1e3


def test_too_few_checkpoints_are_undetermined(planted_run):
    (entry,) = measured(planted_run("lock")[:5]).summary["lock"].values()
    assert entry["verdict"] == "undetermined"
    assert "at least 5 are needed" in entry["reason"]
    (alone,) = measured(planted_run("lock")[:2]).summary["lock"].values()
    assert alone["verdict"] == "undetermined"


def test_thresholds_are_settings(planted_run):
    run = planted_run("lock")
    (entry,) = measured(run, lock=LockThresholds(after=4)).summary["lock"].values()
    assert entry["verdict"] == "undetermined"
    strict = measured(run, lock=LockThresholds(capture=0.9999))
    (entry,) = strict.summary["lock"].values()
    assert entry["verdict"] == "not locked"
    assert strict.summary["settings"]["lock"]["capture"] == 0.9999


def test_a_run_that_stops_early_or_returns_has_no_rest(tmp_path, write_checkpoint):
    path = trajectory("lock", 0)
    stopped = [*path[:3], *[path[2]] * 4]
    returned = [*path[:6], path[0]]
    for name, weights in (("stopped", stopped), ("returned", returned)):
        folders = [
            write_checkpoint(tmp_path / name / f"step_{step}", {NAME.format(0): one})
            for step, one in enumerate(weights)
        ]
        measurement = measured(folders)
        assert measurement.summary["lock"]["float32"]["verdict"] == "undetermined"
        assert measurement.matrices["lock_step"].isna().all()


def test_any_number_of_workers_gives_the_same_bytes(planted_run):
    run = planted_run("lock")
    serial, parallel = measured(run, also_bf16=True), measured(run, also_bf16=True, workers=2)
    pd.testing.assert_frame_equal(serial.matrices, parallel.matrices, check_exact=True)
    assert serial.summary == parallel.summary
