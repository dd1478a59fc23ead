"""Who answers, and completions that were generated before."""

import json
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset

from hodograph.errors import SettingsError
from hodograph.tasks import Example
from hodograph.tasks.alphabet import chain_tokenizer
from hodograph.training.interventions.rollout import (
    Draw,
    GivenRollout,
    SampledRollout,
    read_rollout,
)

TOKENIZER = chain_tokenizer()
CHAT = [{"role": "user", "content": "1+2"}]
EXAMPLES = [Example(p, "", None) for p in ("1+2", "3*4", "1+2", CHAT)]
ROWS = [
    {"prompt": "3*4", "completion": "1"},
    {"prompt": "1+2", "completion": "2,3$"},
    {"prompt": "1+2", "completion": "3", "ended": False},
    {"prompt": CHAT, "completion": "4"},
]


def answers(rows: list[dict[str, Any]], tmp_path: Path, **options: int) -> GivenRollout:
    path = tmp_path / "completions.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = {"group_size": 1, "max_completion_length": 4} | options
    return read_rollout(path, EXAMPLES, TOKENIZER, **settings)


def text(rollout: GivenRollout, *indices: int) -> list[str]:
    draw = Draw(step=0, attempt=0, indices=list(indices))
    ids, by_teacher = rollout.completions([[0]] * len(indices), draw, lambda *_: [])
    assert by_teacher == [True] * len(indices)
    return TOKENIZER.batch_decode(ids)


def test_completions_belong_to_their_prompts_in_the_order_of_the_file(tmp_path: Path) -> None:
    assert text(answers(ROWS, tmp_path), 0, 1, 2, 3) == ["2,3$", "1$", "3", "4$"]


def test_tokens_are_taken_as_they_are(tmp_path: Path) -> None:
    exact = [{"prompt": row["prompt"], "completion_ids": [1, 23, i]} for i, row in enumerate(ROWS)]
    draw = Draw(step=0, attempt=0, indices=[0, 1])
    ids, _ = answers(exact, tmp_path).completions([[0], [0]], draw, lambda *_: [])
    assert ids == [[1, 23, 1], [1, 23, 0]]


def test_a_folder_saved_by_datasets_reads_the_same(tmp_path: Path) -> None:
    rows = [
        {"prompt": r["prompt"], "completion": r["completion"], "ended": r.get("ended", True)}
        for r in ROWS[:3]
    ]
    Dataset.from_list(rows).save_to_disk(tmp_path / "saved")
    given = read_rollout(tmp_path / "saved", EXAMPLES[:3], TOKENIZER, 1, 4)
    assert text(given, 0, 1, 2) == ["2,3$", "1$", "3"]


def test_each_group_takes_its_own_completions(tmp_path: Path) -> None:
    rows = [{"prompt": p, "completion": str(i)} for p in ("1+2", "3*4") for i in range(4)]
    rows += [{"prompt": CHAT, "completion": str(i)} for i in range(2)]
    given = answers(rows, tmp_path, group_size=2)
    assert text(given, 0, 0, 1, 1, 2, 2) == ["0$", "1$", "0$", "1$", "2$", "3$"]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (ROWS[:2], "0 completions are left of the prompt '1+2', batch.group_size asks for 1"),
        ([{"prompt": "1+2"}], "completions.jsonl:1: there is no 'completion'"),
        ([{"prompt": "1+2", "completion": "1,2,3"}], ":1: the completion has 6 tokens"),
        ([{"prompt": "1+2", "completion": "", "ended": False}], ":1: the completion is empty"),
        ([["1+2", "3"]], ":1: not a JSON object"),
        ([{"prompt": "1+2", "completion_ids": [24]}], ":1: 24 is no token of the student's"),
        ([{"prompt": "1+2", "completion_ids": ["2"]}], ":1: '2' is no token of the student's"),
    ],
)
def test_a_file_that_does_not_fit_is_named_with_the_line(
    rows: list[Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=r"completions\.jsonl") as caught:
        answers(rows, tmp_path)
    assert words in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.jsonl: the completions cannot be read"):
        read_rollout(tmp_path / "none.jsonl", EXAMPLES, TOKENIZER, 1, 4)
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"prompt": "1+2"\n')
    with pytest.raises(SettingsError, match=r"broken\.jsonl:1: not JSON"):
        read_rollout(broken, EXAMPLES, TOKENIZER, 1, 4)
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(SettingsError, match="folder: the completions cannot be read"):
        read_rollout(folder, EXAMPLES, TOKENIZER, 1, 4)


def drawn(share: float, step: int = 0, attempt: int = 0, prompts: int = 6) -> tuple[Any, Any]:
    """Each model answers its prompts with its own name's first letter."""
    asked = [[i] for i in range(prompts) for _ in range(2)]
    source = SampledRollout(teacher_share=share, group_size=2, seed=0)
    draw = Draw(step, attempt, [])
    return source.completions(asked, draw, lambda role, ps: [[*p, ord(role[0])] for p in ps])


def test_a_mixture_gives_whole_groups_to_either_and_keeps_the_order() -> None:
    answered, by_teacher = drawn(0.5)
    assert by_teacher[::2] == by_teacher[1::2]
    assert 0 < sum(by_teacher) < 12
    expected = [[i // 2, ord("t" if theirs else "s")] for i, theirs in enumerate(by_teacher)]
    assert answered == expected


def test_the_share_is_met_and_changes_with_step_and_attempt() -> None:
    assert drawn(0.0)[1] == [False] * 12
    assert drawn(1.0)[1] == [True] * 12
    assert sum(drawn(0.3, prompts=5000)[1]) / 10_000 == pytest.approx(0.3, abs=0.03)
    assert drawn(0.5)[1] == drawn(0.5)[1]
    assert drawn(0.5)[1] != drawn(0.5, step=1)[1]
    assert drawn(0.5)[1] != drawn(0.5, attempt=1)[1]
