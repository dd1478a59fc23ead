"""What an intervention must not change: switched off, at its ends, split, and resumed."""

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

from hodograph.errors import SettingsError
from hodograph.recipes import Recipe, load_recipe, merged
from hodograph.training import train
from hodograph.training.assembly import build_trainer, open_parts
from hodograph.training.folder import RunFolder
from planted.runs import STUDENT, tiny_recipe, weights

COIN = {"reward": "random"}
MIX = {"type": "mix", "alpha": 0.4, **COIN}
BOTH = {"type": "mixture", "teacher_share": 0.5, "behaviour": "teacher"}
EVERYTHING = {
    "objective": MIX | {"normalise": "batch", "zero_variance": "resample"},
    "selection": {"type": "random", "rho": 0.5},
    "rollout": BOTH,
    "batch": {"prompts": 4, "group_size": 2},
}
FULL_KL = {
    "objective": {"type": "opd", "kl": "full_reverse"},
    "selection": {"type": "largest_gap", "rho": 0.5},
    "rollout": {"type": "teacher"},
}


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    student = STUDENT | {"hidden_size": 24, "initializer_range": 0.2}
    recipe = tiny_recipe({"student": student, "steps": 1, "seed": 5})
    run = train(recipe, tmp_path_factory.mktemp("models") / "teacher")
    return {"type": "path", "path": str(run.path)}


def lines(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def final(changes: dict[str, Any], tmp_path: Path) -> bytes:
    """Weights after two steps."""
    recipe = tiny_recipe({"steps": 2} | changes)
    return weights(train(recipe, tmp_path / recipe.digest()).final_checkpoint)


def test_each_end_of_an_intervention_is_the_run_without_it_bit_for_bit(
    tmp_path: Path, teacher: dict[str, Any]
) -> None:
    opd = {"objective": {"type": "opd"}, "teacher": teacher}
    rlvr = {"objective": {"type": "rlvr", **COIN}}
    pure = {name: final(run, tmp_path) for name, run in (("opd", opd), ("rlvr", rlvr))}
    assert pure["opd"] != pure["rlvr"]

    def mix(**settings: Any) -> bytes:
        return final(
            {"objective": {"type": "mix", **COIN} | settings, "teacher": teacher}, tmp_path
        )

    assert mix(alpha=1) == pure["opd"]
    assert mix(alpha=0) == mix(opd_kl_coef=0) == pure["rlvr"]
    half = mix(alpha=0.5)
    assert half == mix(opd_kl_coef=1)
    assert half not in pure.values()

    for kind in ("largest_gap", "random", "entropy"):
        assert final(opd | {"selection": {"type": kind, "rho": 1}}, tmp_path) == pure["opd"]
    nobody = {"type": "mixture", "teacher_share": 0, "behaviour": "teacher"}
    assert final(opd | {"rollout": nobody}, tmp_path) == pure["opd"]
    by_teacher = final(opd | {"rollout": {"type": "teacher"}}, tmp_path)
    everybody = {"type": "mixture", "teacher_share": 1}
    assert final(opd | {"rollout": everybody}, tmp_path) == by_teacher != pure["opd"]


@pytest.mark.parametrize("changes", [EVERYTHING, FULL_KL], ids=["everything", "full_kl"])
def test_splitting_a_step_changes_rounding_only(
    tmp_path: Path, teacher: dict[str, Any], changes: dict[str, Any]
) -> None:
    one, four = (
        lines(train(split(changes, teacher, parts), tmp_path / str(parts)).path)[0]
        for parts in (1, 4)
    )
    assert four.keys() == one.keys()
    ours = one.keys() - {"loss", "clipped", "entropy"}  # TRL's: means of micro-batches' means
    for name in ours:
        assert four[name] == pytest.approx(one[name], rel=1e-4, abs=1e-7), name


def split(changes: dict[str, Any], teacher: dict[str, Any], parts: int) -> Recipe:
    step = {"steps": 1, "teacher": teacher, "batch": {"accumulation": parts}}
    return tiny_recipe(merged(changes, step))


class Killed(BaseException):
    """Ends training as a signal would: nothing tidies up after it."""


@pytest.mark.parametrize("changes", [EVERYTHING, FULL_KL], ids=["everything", "full_kl"])
def test_a_run_killed_in_the_middle_resumes_to_the_same_bytes(
    tmp_path: Path, teacher: dict[str, Any], changes: dict[str, Any]
) -> None:
    recipe = tiny_recipe({"steps": 4, "save": {"steps": [2]}, "teacher": teacher, **changes})

    def kill(step: int, _: int) -> None:
        if step == 3:
            raise Killed

    with pytest.raises(Killed):
        train(recipe, tmp_path / "killed", on_step=kill)
    resumed: list[int] = []
    train(recipe, tmp_path / "killed", on_step=lambda step, _: resumed.append(step))
    assert resumed == [3, 4]
    whole = train(recipe, tmp_path / "whole")
    assert lines(tmp_path / "killed") == lines(whole.path)
    end = (tmp_path / "killed/checkpoints/step_4", whole.final_checkpoint)
    assert weights(end[0]) == weights(end[1])


def test_what_was_done_is_logged(tmp_path: Path, teacher: dict[str, Any]) -> None:
    recipe = tiny_recipe({"steps": 3, "teacher": teacher, **EVERYTHING})
    logged = lines(train(recipe, tmp_path / "run").path)
    for line in logged:
        assert 0 < line["selection/kept"] < 1
        assert line["rollout/teacher"] in (0, 0.25, 0.5, 0.75, 1)
        assert line["mix/opd_rms"] == pytest.approx(0.4, rel=1e-5)  # each part has norm 1 ...
        assert line["mix/reward_rms"] == pytest.approx(0.6, rel=1e-5)  # ... before its weight
    assert any(line["resampled"] > 0 for line in logged)
    assert sum(line["reward/zero_variance"] for line in logged) > 0


def test_largest_gaps_are_larger_than_the_mean_and_smallest_smaller(
    tmp_path: Path, teacher: dict[str, Any]
) -> None:
    def line(kind: str) -> dict[str, float]:
        opd = {"steps": 1, "objective": {"type": "opd"}, "teacher": teacher}
        changes = opd | {"selection": {"type": kind, "rho": 0.5}}
        return lines(train(tiny_recipe(changes), tmp_path / kind).path)[0]

    largest, smallest = line("largest_gap"), line("smallest_gap")
    assert largest["opd/reverse_kl"] == smallest["opd/reverse_kl"]
    assert smallest["selection/gap"] < smallest["opd/reverse_kl"] < largest["selection/gap"]


DECAY = {"optimizer": {"lr": 0.1, "weight_decay": 0.5}, "steps": 2, "save": {"steps": [1]}}


def test_a_batch_of_zero_advantages_never_steps(tmp_path: Path) -> None:
    """The student is its own teacher; and no answer of a random model is ever right."""
    base = train(tiny_recipe({"steps": 1}), tmp_path / "base")
    itself = {"type": "path", "path": str(base.path)}
    opd = {"student": itself, "teacher": itself, "objective": {"type": "opd"}}
    tried = {"objective": {"type": "rlvr", "zero_variance": "resample", "max_tries": 2}}
    for name, changes in (("opd", opd), ("resample", tried)):
        run = train(tiny_recipe(changes | DECAY), tmp_path / name)
        start = run.path / "checkpoints/step_0"
        assert weights(run.final_checkpoint) == weights(start)
        step = json.loads((run.final_checkpoint / "hodograph_step.json").read_text())
        assert step["skipped_steps"] == 2
    assert [line["resampled"] for line in lines(run.path)] == [4, 4]  # 2 prompts, 2 tries


def test_given_completions_are_what_is_trained_on(tmp_path: Path, teacher: dict[str, Any]) -> None:
    recipe = tiny_recipe({"steps": 2, "objective": {"type": "opd"}, "teacher": teacher})
    asked = open_parts(recipe).task.training(recipe.seed, 4)
    rows = [
        {"prompt": example.prompt, "completion": f"{i},{g}"}
        for i, example in enumerate(asked)
        for g in range(4)
    ]
    path = tmp_path / "completions.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    given = tiny_recipe(recipe.as_json() | {"rollout": {"type": "file", "path": str(path)}})
    parts = open_parts(given)
    trainer = build_trainer(given, RunFolder(tmp_path / "run"), parts)
    trainer.train()
    answered = parts.tokenizer.batch_decode(
        [parts.tokenizer(text)["input_ids"] for text in trainer._logs["completion"]]
    )
    assert answered == [row["completion"] for row in rows[8:]]  # of the second step
    assert trainer.state.log_history[0]["rollout/teacher"] == 1


TOML = """
name = "given"
steps = 2
rollout = {{ type = "file", path = "completions.jsonl", behaviour = "teacher" }}
teacher = {{ type = "path", path = "{teacher}" }}
objective = {{ type = "opd" }}
task = {{ type = "chain" }}
batch = {{ prompts = 2, group_size = 3 }}
optimizer = {{ lr = 1e-3 }}
sampling = {{ max_completion_length = 6 }}
[student]
type = "qwen3"
hidden_size = 16
layers = 1
heads = 2
kv_heads = 1
head_dim = 8
intermediate_size = 32
"""


def test_the_example_writes_a_file_that_its_recipe_trains_on(
    tmp_path: Path, teacher: dict[str, Any]
) -> None:
    source, answers = tmp_path / "recipe.toml", tmp_path / "completions.jsonl"
    source.write_text(TOML.format(teacher=teacher["path"]))
    runpy.run_path("examples/teacher_completions.py")["main"](source, answers)
    rows = [json.loads(line) for line in answers.read_text().splitlines()]
    assert len(rows) == 2 * 2 * 3
    run = train(load_recipe(source), tmp_path / "run")
    assert [line["rollout/teacher"] for line in lines(run.path)] == [1, 1]
    assert all("opd/forward_kl" in line for line in lines(run.path))

    answers.write_text("")
    with pytest.raises(SettingsError, match="0 completions are left of the prompt"):
        train(load_recipe(source), tmp_path / "none")
    assert not (tmp_path / "none").exists()
