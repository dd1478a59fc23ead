import json

import pytest
import torch

from hodograph.checkpoints import open_trajectory
from hodograph.errors import SettingsError


@pytest.fixture
def checkpoints(tmp_path, write_checkpoint):
    def write(*names):
        return [write_checkpoint(tmp_path / name, {"w": torch.zeros(2, 2)}) for name in names]

    return write


@pytest.mark.parametrize(
    ("names", "steps"),
    [
        (["checkpoint-60", "checkpoint-120"], (60, 120)),
        (["step_5", "step_10"], (5, 10)),
        (["iter_0000120", "iter_0001200"], (120, 1200)),
        (["global_step_7", "global_step_8"], (7, 8)),
    ],
)
def test_steps_are_read_from_folder_names(checkpoints, names, steps):
    base, *tuned = checkpoints("base", *names)
    trajectory = open_trajectory(base, tuned)
    assert trajectory.steps == steps
    assert not trajectory.numbered


def test_a_recorded_step_wins_over_the_name(checkpoints):
    base, tuned = checkpoints("base", "step_5")
    (tuned / "hodograph_step.json").write_text(json.dumps({"step": 50}))
    assert open_trajectory(base, [tuned]).steps == (50,)


def test_unknown_steps_are_numbered_and_said(checkpoints):
    base, *tuned = checkpoints("base", "early", "late")
    trajectory = open_trajectory(base, tuned)
    assert trajectory.steps == (1, 2)
    assert trajectory.numbered


@pytest.mark.parametrize(
    ("names", "steps", "words"),
    [
        ([], None, "at least one"),
        (["step_5", "final"], None, "--steps"),
        (["step_10", "step_5"], None, "order of training"),
        (["step_5", "step_10"], [1], "1 steps for 2"),
        (["a", "b"], [3, 3], "order of training"),
    ],
)
def test_steps_that_cannot_be_an_axis_are_refused(checkpoints, names, steps, words):
    base, *tuned = checkpoints("base", *names)
    with pytest.raises(SettingsError, match=words):
        open_trajectory(base, tuned, steps)
