"""The `[gates]` table of a study: whose gates are measured, after what, and what is refused."""

import pytest

from hodograph.errors import SettingsError
from hodograph.studies.plan import plan
from hodograph.studies.runner import tasks_of
from hodograph.studies.study import load_study

STUDY = """
name = "gated"
seeds = [0, 1]

[gates]
arms = ["rlvr"]
teacher = "base"
prompts = 4
checkpoints = [2]

[shared]
steps = 2
task = { type = "chain" }
batch = { prompts = 2, group_size = 4 }
optimizer = { lr = 1e-3 }

[stages.base]
objective = { type = "sft" }

[stages.base.student]
type = "qwen3"
hidden_size = 16
layers = 1
heads = 2
kv_heads = 1
head_dim = 8
intermediate_size = 32

[arms.sft]
student = { type = "path", path = "@base" }
objective = { type = "sft" }

[arms.rlvr]
student = { type = "path", path = "@base" }
objective = { type = "rlvr" }
"""


@pytest.fixture
def tasks(tmp_path):
    def build(text=STUDY):
        file = tmp_path / "study.toml"
        file.write_text(text)
        study = load_study(file)
        return {task.name: task for task in tasks_of(plan(study, file, tmp_path / "out"),
                                                     study.measure, study.gates)}  # fmt: skip

    return build


def test_the_arms_named_are_looked_at_once_they_and_their_teacher_are_trained(tasks):
    found = {name: task for name, task in tasks().items() if name.startswith("gates")}
    assert set(found) == {"gates seed_0/rlvr", "gates seed_1/rlvr"}
    needs = found["gates seed_1/rlvr"].needs
    assert set(needs) == {"train seed_1/rlvr", "train seed_1/base"}


def test_every_arm_where_none_is_named_and_none_without_the_table(tasks):
    everyone = tasks(STUDY.replace('arms = ["rlvr"]\n', ""))
    assert len([name for name in everyone if name.startswith("gates")]) == 4
    without = STUDY[: STUDY.index("[gates]")] + STUDY[STUDY.index("[shared]") :]
    assert not [name for name in tasks(without) if name.startswith("gates")]


def test_the_table_becomes_settings(tmp_path):
    file = tmp_path / "study.toml"
    file.write_text(STUDY)
    section = load_study(file).gates
    assert section is not None
    settings = section.settings()
    assert (settings.prompts, settings.steps, settings.samples) == (4, (2,), 8)


@pytest.mark.parametrize(
    ("text", "replacement", "message"),
    [
        (
            'arms = ["rlvr"]',
            'arms = ["rl"]',
            "rl is no arm of this study .sft, rlvr.",
        ),
        ('teacher = "base"', 'teacher = "big"', "teacher = 'big' names no run that this study"),
        ("prompts = 4", "prompts = 1", "prompts is 1; for gates it is 2 or more"),
        ("prompts = 4", "promts = 4", r"gates\.promts"),
    ],
)
def test_what_cannot_be_measured_is_said_before_training(tasks, text, replacement, message):
    with pytest.raises(SettingsError, match=message):
        tasks(STUDY.replace(text, replacement))
