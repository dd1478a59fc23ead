from pathlib import Path

import pytest

from hodograph.errors import SettingsError
from hodograph.studies.plan import plan
from hodograph.studies.study import load_study

STUDY = """
name = "small"
seeds = [0, 4]

[shared]
steps = 2
task = { type = "chain" }
batch = { prompts = 2 }
optimizer = { lr = 1e-3 }
objective = { type = "sft" }

[arm]
batch = { group_size = 4 }

[stages.base]
[stages.base.student]
type = "qwen3"
hidden_size = 16
layers = 1
heads = 2
kv_heads = 1
head_dim = 8
intermediate_size = 32

[stages.anchor]
student = { type = "path", path = "@base" }

[arms.sft]
student = { type = "path", path = "@anchor", round_to_bf16 = true }

[arms.opd]
student = { type = "path", path = "@anchor" }
teacher = { type = "path", path = "models/teacher" }
objective = { type = "opd" }
optimizer = { lr = 1e-5 }
"""


@pytest.fixture
def planned(tmp_path):
    def build(text=STUDY):
        file = tmp_path / "study.toml"
        file.write_text(text)
        return plan(load_study(file), file, tmp_path / "out")

    return build


def test_arms_times_seeds_in_an_order_that_can_run(planned, tmp_path):
    runs = planned()
    keys = [run.key for run in runs]
    assert len(keys) == 8
    for run in runs:
        assert all(keys.index(need) < keys.index(run.key) for need in run.needs)
    assert {run.recipe.seed for run in runs} == {0, 4}
    assert runs[-1].folder.parent.parent == tmp_path / "out"


def test_a_run_states_only_what_differs(planned):
    runs = {run.key: run for run in planned()}
    assert runs["seed_0/base"].recipe.batch.sequences == 2
    assert runs["seed_0/sft"].recipe.batch.sequences == 8
    assert runs["seed_0/sft"].recipe.optimizer.lr == 1e-3
    assert runs["seed_0/opd"].recipe.optimizer.lr == 1e-5
    assert runs["seed_0/opd"].recipe.name == "opd"


def test_names_of_runs_become_their_folders_of_the_same_seed(planned, tmp_path):
    runs = {run.key: run for run in planned()}
    assert runs["seed_4/sft"].recipe.student.path == str(tmp_path / "out" / "seed_4" / "anchor")
    assert runs["seed_4/sft"].needs == ("seed_4/anchor",)
    assert runs["seed_4/opd"].student == "anchor"
    assert runs["seed_0/base"].student == "random weights"
    assert runs["seed_0/opd"].teacher == str(tmp_path / "models" / "teacher")
    assert runs["seed_0/opd"].recipe.teacher.path == str(tmp_path / "models" / "teacher")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("@base", "@bass", "@bass is no run of this study"),
        ("[arms.sft]", "[arms.base]", "base is a stage and an arm"),
        ("lr = 1e-5", "rate = 1e-5", "optimizer.rate"),
        ("seeds = [0, 4]", "seeds = []", "seeds"),
        ("seeds = [0, 4]", "seeds = [4, 4]", "named twice"),
        ("[arm]", '[measure]\nscope = "atention"\n[arm]', "scope"),
        ("[arm]", "[armz]", "armz"),
        ('name = "small"', "name = ", "not valid TOML"),
        ('path = "@base"', 'path = "@anchor"', "ring"),
    ],
)
def test_mistakes_are_named_with_the_file(planned, old, new, words):
    with pytest.raises(SettingsError) as caught:
        planned(STUDY.replace(old, new))
    assert words in str(caught.value)
    assert "study.toml" in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"nothing\.toml"):
        load_study(tmp_path / "nothing.toml")


SHIPPED = [
    path
    for path in sorted(Path("examples/studies").rglob("*.toml"))
    if path.name != "setting.toml" and path.parent.name != "claims"  # parts of others
]


@pytest.mark.parametrize("path", SHIPPED, ids=str)
def test_every_shipped_study_can_be_planned(path: Path, tmp_path: Path) -> None:
    study = load_study(path)
    runs = plan(study, path, tmp_path)
    assert {run.name for run in runs if run.role == "arm"} == set(study.arms)
