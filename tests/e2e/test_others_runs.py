"""The guide's commands for runs of TRL, verl, prime-rl and slime, on checkpoints in their layouts.

verl's and DCP's folders of several ranks are in tests/unit/checkpoints/test_shards.py.
"""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import torch
import torch.distributed.checkpoint as dcp
from torch import Tensor

from hodograph import measure

GUIDE = Path(__file__).parents[2] / "docs/guides/distributed.md"
COMMANDS = re.findall(r"^hodograph measure BASE .*", GUIDE.read_text(), re.MULTILINE)
STEPS = (60, 120)  # in another order by name
pytestmark = pytest.mark.filterwarnings("ignore:torch.distributed is disabled")  # DCP's, alone
NAME = "model.layers.0.self_attn.q_proj.weight"


def weights(step: int) -> dict[str, Tensor]:
    """W0, and an update of rank 1 that grows with the step."""
    generator = torch.Generator().manual_seed(0)
    w0_MN, left_M1, right_1N = (
        torch.randn(shape, generator=generator) for shape in ((24, 16), (24, 1), (1, 16))
    )
    return {NAME: w0_MN + step * 1e-3 * left_M1 @ right_1N}


@pytest.fixture
def runs(tmp_path, write_checkpoint):
    """What each trainer leaves after 60 and 120 steps, while it writes step 180."""
    write_checkpoint(tmp_path / "BASE", weights(0))
    for step in STEPS:
        saved = write_checkpoint(tmp_path / f"output/checkpoint-{step}", weights(step))
        (saved / "trainer_state.json").touch()
        write_checkpoint(tmp_path / f"outputs/weights/step_{step}", weights(step))
        write_checkpoint(tmp_path / f"export/iter_{step:07d}", weights(step))
        actor = tmp_path / f"checkpoints/global_step_{step}/actor"
        actor.mkdir(parents=True)
        torch.save(weights(step), actor / "model_world_size_1_rank_0.pt")
        content = {"model": weights(step), "optimizer": {"step": step}}
        trainer = tmp_path / f"outputs/checkpoints/step_{step}/trainer"
        dcp.save(content, checkpoint_id=trainer, no_dist=True)
    (tmp_path / "checkpoints/latest_checkpointed_iteration.txt").write_text("120")
    for begun in (
        "output/checkpoint-180", "checkpoints/global_step_180/actor", "outputs/weights/step_180",
        "outputs/checkpoints/step_180/trainer",
    ):  # fmt: skip
        (tmp_path / begun).mkdir(parents=True)
    return tmp_path


def test_the_guide_has_a_command_for_each() -> None:
    named = [shlex.split(command)[-1] for command in COMMANDS]
    assert named == [f"measured/{n}" for n in ("trl", "verl", "prime_rl", "dcp", "slime")]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_guide_measures_what_was_planted(runs: Path, command: str) -> None:
    arguments = command.partition("BASE")[2]
    echoed = subprocess.run(
        ["bash", "-c", f"printf '%s\\n' {arguments}"],
        cwd=runs, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    options = next(i for i, argument in enumerate(echoed) if argument.startswith("--"))
    asked = dict(zip(echoed[options::2], echoed[options + 1 :: 2], strict=True))
    given = [int(step) for step in asked["--steps"].split(",")] if "--steps" in asked else None
    found = measure(runs / "BASE", [runs / path for path in echoed[:options]], steps=given)
    rows = found.matrices.sort_values("step")
    assert rows["step"].tolist() == list(STEPS)
    assert rows["stable_rank"].tolist() == pytest.approx([1.0, 1.0], abs=1e-3)
    first, last = rows["update_norm"]
    assert last / first == pytest.approx(2, rel=1e-3)
