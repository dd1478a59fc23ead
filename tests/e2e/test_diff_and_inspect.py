"""`hodograph diff` and `hodograph inspect` as a user runs them."""

import json

import pytest

from planted.corpus.running import run

Q = "model.layers.0.self_attn.q_proj.weight"


@pytest.fixture
def pair(tmp_path, write_checkpoint, layered):
    tensors = layered()
    base = write_checkpoint(tmp_path / "base", tensors)
    tensors[Q][:2] += 1
    tensors["extra"] = tensors.pop("model.norm.weight")
    return base, write_checkpoint(tmp_path / "step_7", tensors)


def test_exit_codes_of_diff(pair, tmp_path, capsys):
    base, tuned = pair
    for flags, differing, alike in (([], 0, 0), (["--fail-if-identical"], 0, 1)):
        assert run(capsys, "diff", base, tuned, *flags)[0] == differing
        assert run(capsys, "diff", base, base, *flags)[0] == alike
        assert run(capsys, "diff", base, tmp_path / "no", *flags)[0] == 2


def test_diff_says_what_differs(pair, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    _, printed, _ = run(capsys, "diff", *pair)
    assert "different: 1 of 5 shared tensors; 32 of 1696 weights changed, 32 visibly" in printed
    assert "only in A: model.norm.weight" in printed
    assert "only in B: extra" in printed
    assert Q in printed
    _, printed, _ = run(capsys, "diff", pair[0], pair[0])
    assert printed.startswith("identical: 6 tensors, 1712 weights")


def test_diff_as_json(pair, capsys):
    record = json.loads(run(capsys, "diff", *pair, "--json")[1])
    assert (record["identical"], record["changed"], record["visible"]) == (False, 32, 32)
    assert [one["name"] for one in record["differing"]] == [Q]
    assert (record["only_a"], record["only_b"]) == (["model.norm.weight"], ["extra"])


def test_inspect_prints_and_gives_json(pair, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    code, printed, _ = run(capsys, "inspect", pair[1])
    assert code == 0
    assert "step: 7" in printed
    assert "tensors: 6, 1712 weights" in printed
    record = json.loads(run(capsys, "inspect", pair[1], "--json")[1])
    assert record["scopes"]["linear"]["matrices"] == 4
    assert record["modules"]["q_proj"]["layers"] == 2
