import json

import pytest

from hodograph.errors import SettingsError
from hodograph.inputs.source import Text, open_source

CHAT = [{"role": "user", "content": "2+2?"}]
RECIPE = {
    "name": "tiny", "steps": 3, "task": {"type": "chain"}, "optimizer": {"lr": 1e-3},
    "student": {"type": "path", "path": "base"},
}  # fmt: skip


@pytest.fixture
def write(tmp_path):
    def written(name, *lines):
        path = tmp_path / name
        path.write_text("".join(f"{line}\n" for line in lines))
        return path

    return written


@pytest.fixture
def write_run(tmp_path):
    def written(**changes):
        (tmp_path / "recipe.json").write_text(json.dumps(RECIPE | changes))
        return tmp_path

    return written


def test_a_text_file_has_one_text_a_line(write):
    source = open_source(write("texts.txt", "one", "", " two "), 100)
    assert source.kind == "texts"
    assert source.texts == (Text("one"), Text(" two "))
    assert len(open_source(write("texts.txt", *"abc"), 2).texts) == 2  # 2 tokens need no more


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ({"text": "whole"}, Text("whole")),
        ({"prompt": "2+2=", "completion": "4"}, Text("2+2=", "4")),
        ({"prompt": "2+2="}, Text("2+2=")),
        ({"messages": CHAT}, Text(CHAT)),
        ({"prompt": CHAT, "completion": [{"role": "assistant", "content": "4"}]}, Text(CHAT, "4")),
    ],
)
def test_a_line_of_jsonl(write, entry, text):
    assert open_source(write("texts.jsonl", json.dumps(entry)), 100).texts == (text,)


@pytest.mark.parametrize(
    "line", ["{", "[1]", '{"label": "x"}', '{"text": ""}', '{"messages": [{"role": "user"}]}']
)
def test_a_line_without_a_text_is_named(write, line):
    path = write("texts.jsonl", '{"text": "fine"}', line)
    with pytest.raises(SettingsError, match=r"texts\.jsonl, line 2"):
        open_source(path, 100)


def test_nothing_to_read_is_said(write, tmp_path):
    with pytest.raises(SettingsError, match="no such file or run folder"):
        open_source(tmp_path / "none.txt", 100)
    with pytest.raises(SettingsError, match="holds no texts"):
        open_source(write("empty.txt", ""), 100)
    with pytest.raises(SettingsError, match=r"no recipe\.json"):
        open_source(tmp_path, 100)
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9\n")
    with pytest.raises(SettingsError, match="UTF-8"):
        open_source(tmp_path / "latin.txt", 100)


def test_a_run_of_sft_has_the_demonstrations_it_trained_on(write_run):
    run = write_run(objective={"type": "sft"}, batch={"prompts": 4})
    source = open_source(run, 4096)
    assert (source.kind, len(source.texts), source.sampling) == ("demonstrations", 12, None)
    assert all(text.answer.endswith("$") for text in source.texts)


def test_a_run_on_policy_has_its_prompts_to_be_answered(write_run):
    run = write_run(
        objective={"type": "rlvr"}, batch={"prompts": 4, "group_size": 2}, seed=3,
        sampling={"max_completion_length": 9},
    )  # fmt: skip
    source = open_source(run, 4096)
    assert (source.kind, len(source.texts)) == ("rollouts", 12)
    assert all(text.answer is None for text in source.texts)
    assert (source.sampling.max_completion_length, source.sampling.seed) == (9, 3)


def test_the_digest_follows_every_part(write, write_run):
    sources = [
        open_source(write("a.txt", "one", "two"), 9),
        open_source(write("a.txt", "one", "2"), 9),
    ]
    for seed in (0, 1):
        run = write_run(
            objective={"type": "rlvr"}, batch={"prompts": 4, "group_size": 2}, seed=seed
        )
        sources.append(open_source(run, 99))
    assert len({source.digest() for source in sources}) == 4
    assert sources[0].digest() == open_source(write("b.txt", "one", "two"), 9).digest()
