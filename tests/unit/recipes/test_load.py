"""Recipes from TOML: what is accepted, and how each mistake is named."""

import json
import sys
from pathlib import Path
from subprocess import run

import pytest

from hodograph.errors import SettingsError
from hodograph.recipes import (
    RlvrObjective,
    first_difference,
    load_recipe,
    merged,
    parse_recipe,
    resolve_paths,
)
from planted.runs import BASE, tiny_recipe

SHIPPED = sorted(Path("examples").rglob("recipes/*.toml")) + sorted(
    Path("examples/smollm2").glob("*.toml")
)

RLVR = {"objective": {"type": "rlvr"}}
TEACHER = {"teacher": {"type": "path", "path": "x"}}

TOML = """
name = "tiny"
steps = 4
[student]
type = "path"
path = "models/base"
[objective]
type = "rlvr"
[task]
type = "chain"
[batch]
prompts = 2
group_size = 4
[optimizer]
lr = 1e-3
"""


@pytest.fixture
def recipe_file(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(TOML)
    return path


def message(path: Path, **overrides: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load_recipe(path, overrides)
    return str(caught.value)


def test_folders_are_resolved_against_the_file_and_overrides_against_the_working_directory(
    recipe_file: Path,
) -> None:
    assert load_recipe(recipe_file).student.path == str(recipe_file.parent / "models/base")
    moved = load_recipe(recipe_file, {"student.path": "elsewhere"})
    assert moved.student.path == str(Path.cwd() / "elsewhere")


def test_overrides_are_toml_values_or_plain_words(recipe_file: Path) -> None:
    recipe = load_recipe(
        recipe_file,
        {"optimizer.lr": "2e-5", "save.steps": "[1, 3]", "objective.reward": "random", "name": "b"},
    )
    assert recipe.optimizer.lr == 2e-5
    assert recipe.save.steps == (1, 3)
    assert recipe.objective == RlvrObjective(type="rlvr", reward="random")
    assert recipe.name == "b"


def test_every_mistake_is_named_with_the_file_the_key_and_the_way_on(recipe_file: Path) -> None:
    assert message(recipe_file, **{"optimizer.lrr": "1"}) == (
        f"{recipe_file}: unknown key 'optimizer.lrr'. Did you mean 'optimizer.lr'?"
    )
    assert message(recipe_file, **{"optimizer.lr": "fast"}) == (
        f"{recipe_file}: optimizer.lr: input should be a valid number, "
        "unable to parse string as a number, not 'fast'."
    )
    assert "unknown key 'teacher_path'" in message(recipe_file, teacher_path="x")
    assert "steps: input should be greater than 0, not 0" in message(recipe_file, steps="0")
    assert message(recipe_file, **{"student.layers": "3"}).endswith(
        "'student.layers'. It belongs to another type of this section."
    )


def test_a_file_that_is_missing_or_not_toml_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "none.toml"
    assert message(missing) == f"{missing}: cannot be read: No such file or directory."
    bad = tmp_path / "bad.toml"
    bad.write_text("steps = = 3")
    assert message(bad).startswith(f"{bad}: not valid TOML: ")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"objective": {"type": "opd"}}, "objective.type 'opd' needs a [teacher] section"),
        (
            {"objective": {"type": "mix", "alpha": 1}},
            "objective.type 'mix' needs a [teacher] section",
        ),
        (RLVR | {"rollout": {"type": "teacher"}}, "rollout.type 'teacher' needs a [teacher]"),
        (
            RLVR | {"selection": {"type": "largest_gap", "rho": 1}},
            "'largest_gap' needs a [teacher]",
        ),
        (
            RLVR | {"rollout": {"type": "file", "path": "x", "behaviour": "teacher"}},
            "rollout.behaviour 'teacher' needs a [teacher] section",
        ),
        ({"teacher": {"type": "path", "path": "x"}}, "nothing uses the [teacher] section"),
        (RLVR | TEACHER, "nothing uses the [teacher] section"),
        ({"selection": {"type": "random", "rho": 0.5}}, "a [selection] section needs an on-policy"),
        ({"rollout": {"type": "file", "path": "x"}}, "a [rollout] section needs an on-policy"),
        (
            RLVR | {"selection": {"type": "random", "rho": 0}},
            "selection.rho: input should be",
        ),
        (
            RLVR | {"selection": {"type": "random", "where": "last"}},
            "to another type of",
        ),
        (TEACHER | {"objective": {"type": "mix"}}, "takes alpha, or opd_kl_coef instead of it"),
        (
            TEACHER | {"objective": {"type": "mix", "alpha": 0.5, "opd_kl_coef": 1}},
            "takes alpha, or opd_kl_coef instead of it",
        ),
        (
            TEACHER
            | {"objective": {"type": "opd", "kl": "full_reverse"}}
            | {"rollout": {"type": "teacher", "behaviour": "teacher"}},
            "use it with objective.kl 'sampled'",
        ),
        (
            {"objective": {"type": "rlvr", "zero_variance": "resample"}}
            | {"rollout": {"type": "file", "path": "x"}},
            "draws new prompts, which a file of completions does not answer",
        ),
        (
            {"objective": {"type": "rlvr", "zero_variance": "resample", "scale_rewards": "batch"}},
            "replaces groups one by one",
        ),
        ({"objective": {"type": "rlvr"}, "batch": {"group_size": 1}}, "group_size must be 2"),
        ({"batch": {"accumulation": 3}}, "does not divide the 8 sequences"),
        ({"save": {"steps": [9]}}, "steps [9] are listed, but the run ends at step 4"),
        ({"objective": {"type": "rlvr"}, "task": {"type": "chain_mixture"}}, "has no reward"),
        ({"student": {"heads": 3, "kv_heads": 2}}, "heads (3) is not a multiple of kv_heads (2)"),
        ({"task": {"min_terms": 8, "max_terms": 4}}, "min_terms (8) exceeds max_terms (4)"),
        ({"objective": {"kind": "x"}}, "unknown key 'objective.kind'"),
        ({"optimizer": {"schedule": {"floor": 0}}}, "'optimizer.schedule.type' is missing"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(changes: dict, expected: str) -> None:
    with pytest.raises(SettingsError, match=r"^tiny recipe: ") as caught:
        tiny_recipe(changes)
    assert expected in str(caught.value)


def test_a_missing_section_is_named() -> None:
    with pytest.raises(SettingsError, match=r"^here: 'optimizer' is missing\.$"):
        parse_recipe({k: v for k, v in BASE.items() if k != "optimizer"}, "here")


def test_a_resolved_recipe_survives_json_and_names_its_first_difference() -> None:
    recipe = tiny_recipe({"save": {"steps": [1, 2]}})
    again = parse_recipe(json.loads(json.dumps(recipe.as_json())), "again")
    assert again == recipe
    assert again.digest() == recipe.digest()
    other = tiny_recipe({"save": {"steps": [1, 2]}, "optimizer": {"betas": [0.9, 0.95]}})
    assert other.digest() != recipe.digest()
    assert first_difference(recipe.as_json(), recipe.as_json()) is None
    assert first_difference(recipe.as_json(), other.as_json()) == "optimizer.betas"


def test_merging_replaces_a_table_whose_type_changes() -> None:
    base = {"objective": {"type": "rlvr", "reward": "random"}, "batch": {"prompts": 2}}
    changes = {"objective": {"type": "sft"}, "batch": {"group_size": 3}}
    assert merged(base, changes) == {
        "objective": {"type": "sft"},
        "batch": {"prompts": 2, "group_size": 3},
    }
    assert base == {"objective": {"type": "rlvr", "reward": "random"}, "batch": {"prompts": 2}}


@pytest.mark.parametrize(("coefficient", "alpha"), [(0.0, 0.0), (1.0, 0.5), (3.0, 0.75)])
def test_slimes_coefficient_is_converted_to_alpha(coefficient: float, alpha: float) -> None:
    objective = {"type": "mix", "opd_kl_coef": coefficient}
    recipe = tiny_recipe({"objective": objective} | TEACHER)
    assert recipe.objective.teacher_weight == alpha
    assert recipe.as_json()["objective"]["opd_kl_coef"] == coefficient
    assert f"trained as alpha {alpha:g}: A - c r is {1 + coefficient:g} times" in str(
        recipe.objective.notice
    )


def test_paths_are_resolved_for_models_tasks_and_rollouts_only() -> None:
    tree = {"student": {"path": "a"}, "teacher": {"path": "/b"}, "task": {"path": "c"}}
    tree |= {"rollout": {"type": "file", "path": "d"}, "save": {"path": "e"}}
    assert resolve_paths(tree, Path("/runs")) == {
        "student": {"path": "/runs/a"},
        "teacher": {"path": "/b"},
        "task": {"path": "/runs/c"},
        "rollout": {"type": "file", "path": "/runs/d"},
        "save": {"path": "e"},
    }


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_recipe_loads(path: Path) -> None:
    assert load_recipe(path).name


def test_recipes_import_nothing_heavy() -> None:
    code = "import sys, hodograph.recipes; print({'torch', 'transformers'} & set(sys.modules))"
    done = run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
