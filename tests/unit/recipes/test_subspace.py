"""Impossible constraints and adapters are refused in one line that says why."""

from pathlib import Path

import pytest

from hodograph.errors import SettingsError
from hodograph.recipes import parse_recipe, resolve_paths
from planted.runs import BASE, tiny_recipe

OWN = {"type": "own", "rank": 4}
NONE = {"type": "none"}


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"basis": OWN}, "needs at_step 1 or more"),
        ({"basis": OWN, "at_step": 4}, r"at_step \(4\) leaves none of the 4 steps"),
        ({"basis": OWN, "at_step": 1, "norm_matched": True}, "norm_matched needs mode 'update'"),
        ({"basis": NONE, "mode": "update"}, "freezes the matrices: it takes no mode"),
        ({"basis": NONE, "without_basis": "frozen"}, "trains nothing"),
        ({"basis": {"type": "none", "rank": 4}}, "unknown key 'subspace.basis.rank'"),
        ({"basis": {"type": "run", "path": "x"}}, "'subspace.basis.step' is missing"),
        ({"basis": OWN, "at_step": 1, "mode": "project"}, "subspace.mode: input should be"),
    ],
)
def test_an_impossible_subspace_is_refused(section, words):
    with pytest.raises(SettingsError, match=words) as caught:
        parse_recipe({**BASE, "subspace": section}, "r.toml")
    assert len(str(caught.value).splitlines()) == 1
    assert str(caught.value).startswith("r.toml: ")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"adapter": {"type": "frozen_a", "path": "a"}}, "belongs to one checkpoint"),
        (
            {
                "adapter": {"type": "lora"},
                "student": {"type": "path", "path": "w", "round_to_bf16": True},
            },
            "leave out student.round_to_bf16",
        ),
        (
            {
                "adapter": {"type": "lora"},
                "subspace": {"basis": {"type": "random"}},
            },
            "exclude each other",
        ),
    ],
)
def test_an_impossible_adapter_is_refused(changes, words):
    with pytest.raises(SettingsError, match=words):
        tiny_recipe(changes)


def test_folders_of_a_basis_and_an_adapter_are_relative_to_the_file():
    tree = {
        "subspace": {"at_step": 2, "basis": {"type": "run", "path": "runs/a"}},
        "adapter": {"path": "../early"},
        "task": {"config": {"path": "left/alone"}},
    }
    resolved = resolve_paths(tree, Path("/recipes/here"))
    assert resolved["subspace"]["basis"]["path"] == "/recipes/here/runs/a"
    assert resolved["subspace"]["at_step"] == 2
    assert resolved["adapter"]["path"] == "/recipes/early"
    assert resolved["task"] == tree["task"]
    assert tree["adapter"]["path"] == "../early"
