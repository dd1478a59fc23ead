"""What was run is written down."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from hodograph.training.account import account
from planted.runs import tiny_recipe

TEACHER = {"teacher": {"type": "path", "path": "x"}}


def described(changes: dict[str, Any]) -> dict[str, Any]:
    return account(tiny_recipe(changes))


def test_every_run_tells_its_precision_decay_and_clipping() -> None:
    decayed = described({"optimizer": {"weight_decay": 0.1, "max_grad_norm": 0.5}})
    assert decayed["master_weights"] == "float32"
    assert (decayed["weight_decay"], decayed["max_grad_norm"]) == (0.1, 0.5)
    assert "alpha" not in decayed


def test_an_on_policy_run_tells_what_enters_its_advantages() -> None:
    rlvr = described({"objective": {"type": "rlvr"}, "selection": {"type": "random", "rho": 0.5}})
    assert (rlvr["alpha"], rlvr["kl"], rlvr["gap_clamp"]) == (0.0, None, None)
    assert rlvr["ratio_clip"] == pytest.approx([0.8, 1.28])
    assert rlvr["behaviour_logps"] == "student"
    assert rlvr["selection"] == {"type": "random", "rho": 0.5, "compensate": True}

    objective = {"type": "mix", "opd_kl_coef": 3.0, "zero_variance": "keep"}
    rollout = {"type": "teacher", "behaviour": "teacher"}
    mix = described({"objective": objective, "rollout": rollout} | TEACHER)
    assert (mix["alpha"], mix["advantage_scale"]) == (0.75, 0.25)
    assert (mix["rollout"], mix["behaviour_logps"]) == ("teacher", "teacher")
    assert mix["kl"].startswith("sampled")

    full = described({"objective": {"type": "opd", "kl": "full_forward"}} | TEACHER)
    assert full["kl"].startswith("full_forward")


def test_a_file_of_completions_is_told_by_its_hash(tmp_path: Path) -> None:
    path = tmp_path / "completions.jsonl"
    path.write_bytes(b"{}\n")
    given = {"objective": {"type": "rlvr"}, "rollout": {"type": "file", "path": str(path)}}
    assert described(given)["rollout_sha256"] == hashlib.sha256(b"{}\n").hexdigest()
