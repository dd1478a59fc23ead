"""A data set of one's own and a chat model: SFT and RLVR end to end, evaluated and monitored."""

import json
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from hodograph.errors import SettingsError
from hodograph.recipes import Recipe, load_recipe, parse_recipe
from hodograph.tasks import open_task
from hodograph.training import train
from hodograph.training.data import demonstration_dataset
from planted.words import chat_model

RECIPE = Path(__file__).parents[2] / "examples/recipes/words_sft.toml"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return chat_model(tmp_path_factory.mktemp("model"))


def words(model: Path, **overrides: str) -> Recipe:
    return load_recipe(RECIPE, {"student.path": str(model), "optimizer.lr": "1e-2"} | overrides)


def test_the_shipped_recipe_trains_on_words_and_shows_its_geometry(
    model: Path, tmp_path: Path
) -> None:
    run = train(words(model), tmp_path / "sft")
    start, end = run.evaluations
    assert (start["step"], end["step"]) == (0, 8)
    estimates = {"avg_at_4", "pass_at_1", "pass_at_4"}
    assert estimates | {f"{name}_standard_error" for name in estimates} < end.keys()
    assert end["pass_at_1"] == end["avg_at_4"]
    lines = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "geometry/kappa" in line] == [2, 4, 6, 8]
    assert all({"loss", "lr"} <= line.keys() for line in lines)
    assert lines[-1]["loss"] < lines[0]["loss"]


def test_rlvr_on_plain_prompts_is_rewarded_by_math_verify(model: Path, tmp_path: Path) -> None:
    changes: dict[str, Any] = words(model).as_json()
    changes |= {"steps": 2, "monitor": None, "objective": {"type": "rlvr"}, "name": "words-rlvr"}
    changes["batch"] |= {"prompts": 2, "group_size": 4}
    changes["task"] |= {"chat": False}
    changes["evaluation"] = None
    run = train(parse_recipe(changes, "test"), tmp_path / "rlvr")
    lines = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    assert all(0 <= line["reward/mean"] <= 1 for line in lines)
    assert len(lines) == 2


def test_a_plain_demonstration_ends_with_the_end_of_text(model: Path) -> None:
    recipe = words(model, **{"task.chat": "false"})
    examples = open_task(recipe.task).training(0, 3)
    tokenizer = AutoTokenizer.from_pretrained(model)
    for example, row in zip(examples, demonstration_dataset(examples, tokenizer), strict=True):
        shown = [token for token in row["labels"] if token != -100]
        assert shown[-1] == tokenizer.eos_token_id
        assert tokenizer.decode(shown[:-1]) == example.demonstration


def test_a_data_set_that_cannot_be_used_leaves_no_folder(model: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="200 evaluation prompts are asked for"):
        train(words(model, **{"evaluation.prompts": "200"}), tmp_path / "run")
    with pytest.raises(SettingsError, match=r"none\.jsonl does not exist"):
        train(words(model, **{"task.path": "none.jsonl"}), tmp_path / "other")
    assert list(tmp_path.iterdir()) == []


def test_a_killed_run_goes_on_with_its_monitor(model: Path, tmp_path: Path) -> None:
    recipe = words(model, **{"save.steps": "[3, 5]", "evaluation": "{ prompts = 2 }"})

    def stop(step: int, steps: int) -> None:
        if step == 4:
            raise InterruptedError("as by a kill")

    with pytest.raises(InterruptedError):
        train(recipe, tmp_path / "killed", on_step=stop)
    train(recipe, tmp_path / "killed")
    train(recipe, tmp_path / "whole")
    one, two = ((tmp_path / n / "metrics.jsonl").read_bytes() for n in ("killed", "whole"))
    assert one == two
    assert b"geometry/capture16" in one
