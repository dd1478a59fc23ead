"""Files that extend files, arms that are like arms, seeds of an arm, and runs named by others."""

from pathlib import Path

import pytest

from hodograph.errors import SettingsError
from hodograph.recipes import Recipe
from hodograph.studies.plan import StudyRun, plan
from hodograph.studies.study import load_study

SETTING = """
name = "setting"
seeds = [0, 1]
notes = ["one", "two"]

[shared]
steps = 4
task = { type = "chain" }
batch = { prompts = 2 }
optimizer = { lr = 1e-3, weight_decay = 0.5 }
objective = { type = "sft" }

[arm]
student = { type = "path", path = "@base" }
save = { steps = [1, 2] }

[stages.base.student]
type = "qwen3"
hidden_size = 16
layers = 1
heads = 2
kv_heads = 1
head_dim = 8
intermediate_size = 32

[stages.other]
like = "base"
student = { layers = 2 }
"""
MAIN = """
extends = ["below/setting.toml"]
name = "main"

[arms.sft]

[arms.opd]
batch = { group_size = 2 }
objective = { type = "opd" }
teacher = { type = "path", path = "models/teacher" }
"""
Files = dict[str, str]


def planned(folder: Path, files: Files, name: str) -> dict[str, StudyRun]:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    file = folder / name
    return {run.key: run for run in plan(load_study(file), file, folder / "out")}


def recipes(folder: Path, text: str) -> dict[str, Recipe]:
    """Recipes of a study that extends the two files above."""
    files = {
        "a/below/setting.toml": SETTING,
        "a/main.toml": MAIN,
        "study.toml": f'extends = ["a/main.toml"]\nname = "study"\n{text}',
    }
    return {key: run.recipe for key, run in planned(folder, files, "study.toml").items()}


def refused(folder: Path, text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        recipes(folder, text)
    return str(caught.value)


def test_a_file_lies_over_those_it_extends_and_they_over_theirs(tmp_path: Path) -> None:
    runs = recipes(tmp_path, "[arms.sft]\noptimizer = { lr = 5e-4 }\n[arm]\nsave = { steps = [3] }")
    assert set(runs) == {f"seed_{s}/{name}" for s in (0, 1) for name in ("base", "sft", "opd")}
    sft, opd = runs["seed_0/sft"], runs["seed_1/opd"]
    assert (sft.optimizer.lr, opd.optimizer.lr) == (5e-4, 1e-3)
    assert sft.optimizer.weight_decay == 0.5
    assert sft.save.steps == opd.save.steps == (3,)  # a list is replaced


def test_a_later_file_lies_over_an_earlier_one(tmp_path: Path) -> None:
    arm = "[arms.sft]\nsteps = {}"
    files = {
        "setting.toml": SETTING,
        "one.toml": f'extends = ["setting.toml"]\nname = "one"\n{arm.format(7)}\n',
        "two.toml": f'extends = ["setting.toml"]\nname = "two"\n{arm.format(8)}\n',
        "both.toml": 'extends = ["one.toml", "two.toml"]\nname = "both"',
        "turned.toml": 'extends = ["two.toml", "one.toml"]\nname = "turned"',
    }
    steps = [planned(tmp_path, files, f"{name}.toml")["seed_0/sft"].recipe.steps
             for name in ("both", "turned")]  # fmt: skip
    assert steps == [8, 7]


def test_a_relative_path_starts_from_the_file_that_states_it(tmp_path: Path) -> None:
    below = recipes(tmp_path, "")["seed_0/opd"]
    assert below.teacher.path == str(tmp_path / "a" / "models" / "teacher")
    here = recipes(tmp_path, '[arms.opd]\nteacher = { path = "mine" }')["seed_0/opd"]
    assert here.teacher.path == str(tmp_path / "mine")


def test_an_arm_that_is_like_another_states_what_differs(tmp_path: Path) -> None:
    runs = recipes(
        tmp_path,
        '[arms.fast]\nlike = "opd"\noptimizer = { lr = 1e-2 }\n'
        '[arms.faster]\nlike = "fast"\nsteps = 5',
    )
    faster = runs["seed_0/faster"]
    assert (faster.name, faster.steps, faster.optimizer.lr) == ("faster", 5, 1e-2)
    assert faster.objective.type == "opd"
    assert faster.teacher == runs["seed_0/opd"].teacher


def test_likeness_to_nothing_or_to_oneself_is_an_error(tmp_path: Path) -> None:
    assert "like = 'opdd' names none of sft, opd" in refused(tmp_path, '[arms.x]\nlike = "opdd"')
    ring = '[arms.x]\nlike = "y"\n[arms.y]\nlike = "x"'
    assert "[arms.x]: these are like each other in a ring: x, y" in refused(tmp_path, ring)
    assert "names none of base, other" in refused(tmp_path, '[stages.s]\nlike = "opd"')


def test_files_that_extend_each_other_are_an_error(tmp_path: Path) -> None:
    files = {
        "a.toml": 'extends = ["b.toml"]\nname = "a"',
        "b.toml": 'extends = ["a.toml"]\nname = "b"',
    }
    with pytest.raises(SettingsError, match=r"a\.toml extends itself, through b\.toml"):
        planned(tmp_path, files, "a.toml")
    assert "gone.toml" in refused_file(tmp_path, 'extends = ["gone.toml"]')
    assert "a list of files is expected" in refused_file(tmp_path, 'extends = "main.toml"')


def refused_file(folder: Path, text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        planned(folder, {"wrong.toml": text}, "wrong.toml")
    return str(caught.value)


def test_an_arm_has_its_own_seeds_and_a_stage_those_that_need_it(tmp_path: Path) -> None:
    text = '[arms.x]\nlike = "sft"\nseeds = [1]\nstudent = { path = "@other" }'
    runs = recipes(tmp_path, text)
    assert {key for key in runs if key.endswith("/x")} == {"seed_1/x"}
    assert {key for key in runs if key.endswith("/other")} == {"seed_1/other"}
    assert runs["seed_1/other"].student.layers == 2
    assert "seed_0/other" not in recipes(tmp_path, "")  # no arm needs it


@pytest.mark.parametrize("seeds", ["[2]", "[]", "0"])
def test_seeds_that_the_study_lacks_are_refused(tmp_path: Path, seeds: str) -> None:
    message = refused(tmp_path, f'[arms.x]\nlike = "sft"\nseeds = {seeds}')
    assert "some of the study's seeds [0, 1] are expected" in message


def test_an_arm_cannot_need_one_of_other_seeds(tmp_path: Path) -> None:
    text = '[arms.sft]\nseeds = [0]\n[arms.x]\nlike = "sft"\nseeds = [0, 1]\n'
    assert "needs seed_1/sft" in refused(tmp_path, text + 'student = { path = "@sft" }')


def test_the_basis_of_a_subspace_and_an_adapter_may_be_runs_of_the_study(tmp_path: Path) -> None:
    basis = 'basis = { type = "run", path = "@opd", step = 1, rank = 2 }'
    text = (
        f'[arms.held]\nlike = "sft"\nsubspace = {{ at_step = 2, {basis} }}\n'
        '[arms.adapted]\nlike = "sft"\nadapter = { type = "frozen_a", path = "@opd" }'
    )
    runs = recipes(tmp_path, text)
    opd = str(tmp_path / "out" / "seed_1" / "opd")
    assert runs["seed_1/held"].subspace.basis.path == opd
    assert runs["seed_1/adapted"].adapter.path == opd
    study = planned(tmp_path, {}, "study.toml")
    assert study["seed_1/held"].needs == ("seed_1/base", "seed_1/opd")
    assert list(study).index("seed_1/opd") < list(study).index("seed_1/held")
