"""Prompts and answers from files: read, split without overlap, judged, or refused with a reason."""

import json
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, DatasetDict

from hodograph.errors import SettingsError
from hodograph.recipes import DatasetTask
from hodograph.tasks import Completion, open_task
from planted.words import WORDS, word_problems


def task(path: Path, **options: Any) -> Any:
    return open_task(DatasetTask(type="dataset", path=str(path), **options))


def written(tmp_path: Path, *rows: dict[str, Any]) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def numbered(count: int) -> list[dict[str, str]]:
    return [{"prompt": f"What is {n}?", "answer": str(n)} for n in range(count)]


def prompts(examples: list[Any]) -> list[str]:
    return [e.prompt if isinstance(e.prompt, str) else e.prompt[-1]["content"] for e in examples]


def test_every_kind_of_file_gives_the_same_examples(tmp_path: Path) -> None:
    rows = Dataset.from_list(word_problems())
    rows.to_parquet(tmp_path / "words.parquet")
    rows.save_to_disk(tmp_path / "saved")
    DatasetDict({"train": rows, "other": rows.select([0])}).save_to_disk(tmp_path / "splits")
    expected = task(WORDS).training(0, 60)
    assert len({str(e.prompt) for e in expected}) < 60  # more than one pass over the rows
    for path in ("words.parquet", "saved"):
        assert task(tmp_path / path).training(0, 60) == expected
    assert task(tmp_path / "splits", split="train").training(0, 60) == expected


def test_training_and_evaluation_never_share_a_prompt_and_the_share_is_kept(
    tmp_path: Path,
) -> None:
    rows = numbered(400)
    data = task(written(tmp_path, *rows, *rows), evaluation_share=0.25)  # every row is there twice
    seen = {seed: set(prompts(data.training(seed, 1200))) for seed in (0, 1)}
    held = set(prompts(data.evaluation(7, 180)))
    assert seen[0] == seen[1]
    assert not seen[0] & held
    assert len(seen[0]) == pytest.approx(300, abs=35)  # four standard deviations


def test_streams_are_a_function_of_the_seed_and_the_longer_starts_with_the_shorter(
    tmp_path: Path,
) -> None:
    path = written(tmp_path, *numbered(50))
    one, two = (prompts(task(path).training(seed, 120)) for seed in (0, 1))
    assert one != two
    assert prompts(task(path).training(0, 70)) == one[:70]
    rows = len(set(one))
    assert len(set(one[:rows])) == rows  # each pass sees every row once
    assert one[:rows] != one[rows : 2 * rows]  # in another order


@pytest.mark.parametrize(
    ("answer", "text", "score"),
    [
        ("12", "7 + 5 = 12. The answer is 12.", 1.0),
        ("12", "The answer is 13.", 0.0),
        ("5/8", "so \\boxed{\\frac{5}{8}}", 1.0),
        ("4.5", "9/2", 1.0),
        ("-5", "it is -5", 1.0),
        ("12", "", 0.0),
        ("\\frac{1}{2}", "0.5", 1.0),
        ("2x", "2", 0.0),
        ("2x+1", "it is $1 + 2x$", 1.0),
        ("1,000", "1000", 1.0),
    ],
)
def test_answers_are_judged_by_value(tmp_path: Path, answer: str, text: str, score: float) -> None:
    data = task(written(tmp_path, {"prompt": "?", "answer": answer}), evaluation_share=0)
    (example,) = data.training(0, 1)
    assert data.score(Completion(text, finished=True), example) == score


def test_prompts_are_chats_or_plain_and_completions_are_shown(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "2+2?"}]
    path = written(tmp_path, {"q": turns, "a": 4, "worked": "2+2=4"})
    fields = {"prompt": "q", "answer": "a", "evaluation_share": 0.0}
    (shown,) = task(path, **fields, completion="worked", system="Be brief.").training(0, 1)
    assert shown.prompt == [{"role": "system", "content": "Be brief."}, *turns]
    assert shown.demonstration == "2+2=4"
    (bare,) = task(path, **fields).training(0, 1)
    assert bare.demonstration == "4"  # no completion: the answer is the demonstration
    plain = task(written(tmp_path, *numbered(1)), chat=False, evaluation_share=0.0)
    assert plain.training(0, 1)[0].prompt == "What is 0?"


@pytest.mark.parametrize(
    ("rows", "options", "words"),
    [
        ([{"prompt": "?", "solution": "1"}], {}, "row 1: no field 'answer'; there are prompt, sol"),
        ([{"prompt": "?", "answer": "1"}, {"prompt": " ", "answer": "1"}], {}, "row 2: the field"),
        ([{"prompt": "?", "answer": None}], {}, "row 1: the field 'answer' is empty"),
        ([{"prompt": 3, "answer": "1"}], {}, "not text, or a list of chat messages"),
        ([{"prompt": [{"role": "user"}], "answer": "1"}], {}, "not text, or a list of chat"),
        ([{"prompt": [], "answer": "1"}], {"chat": False}, "'prompt' is not text"),
        ([{"prompt": "?", "answer": "12 apples"}], {}, "no number or formula in the answer '12 ap"),
        ([{"prompt": "?", "answer": "3e2"}], {}, "must hold the final answer alone"),
        ([{"prompt": "?", "answer": "???"}], {}, "no number or formula in the answer"),
        ([{**numbered(1)[0], "completion": "x"}, *numbered(2)], {}, "row 2: the field 'completion"),
        (numbered(2), {"evaluation_share": 1.0}, "all 2 rows are held out"),
        (numbered(2), {"split": "train"}, "one file and has no splits"),
        ([], {}, "holds no rows"),
    ],
)
def test_data_that_cannot_be_used_is_named(
    tmp_path: Path, rows: list[dict[str, Any]], options: dict[str, Any], words: str
) -> None:
    options = {"evaluation_share": 0.0} | options
    with pytest.raises(SettingsError, match=words):
        task(written(tmp_path, *rows), **options).training(0, 2)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    def message(path: Path, **options: Any) -> str:
        with pytest.raises(SettingsError) as caught:
            task(path, **options)
        return str(caught.value)

    (tmp_path / "cut.jsonl").write_text('{"prompt": "?", "answer": "1"}\n{"prompt":')
    assert "cut.jsonl, line 2: not JSON" in message(tmp_path / "cut.jsonl")
    (tmp_path / "list.jsonl").write_text("[1]\n")
    assert "line 1: not an object with fields" in message(tmp_path / "list.jsonl")
    (tmp_path / "binary.jsonl").write_bytes(b"\xff\xfe")
    assert "binary.jsonl cannot be read" in message(tmp_path / "binary.jsonl")
    (tmp_path / "cut.parquet").write_bytes(b"PAR1")
    assert "not a readable Parquet file" in message(tmp_path / "cut.parquet")
    (tmp_path / "words.csv").write_text("a,b")
    assert "neither .jsonl nor .parquet" in message(tmp_path / "words.csv")
    assert "does not exist" in message(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    assert "cannot be read by datasets" in message(tmp_path / "empty")
    rows = Dataset.from_list(numbered(3))
    rows.save_to_disk(tmp_path / "saved")
    assert "has no splits; leave it out" in message(tmp_path / "saved", split="train")
    DatasetDict({"a": rows, "b": rows}).save_to_disk(tmp_path / "splits")
    assert "not named; " in message(tmp_path / "splits")
    assert "has the splits a, b" in message(tmp_path / "splits", split="c")


def test_too_few_rows_for_the_evaluation_are_said(tmp_path: Path) -> None:
    data = task(written(tmp_path, *numbered(10)), evaluation_share=0.0)
    with pytest.raises(SettingsError, match="1 evaluation prompts are asked for, and 0 of 10 rows"):
        data.evaluation(0, 1)
