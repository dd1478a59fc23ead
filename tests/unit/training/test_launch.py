"""Ways to start that would train something else than the recipe says are refused."""

from typing import Any

import pytest

from hodograph.errors import SettingsError
from hodograph.training.launch import require_division, require_launch
from hodograph.world import World
from planted.fleet import switches
from planted.runs import tiny_recipe

RLVR = {"objective": {"type": "rlvr"}}
TWO = World(rank=0, size=2)
FSDP2 = {"FSDP_VERSION": "2"}


@pytest.mark.parametrize(
    ("changes", "processes", "message"),
    [
        (RLVR, 4, r"batch.prompts \(2\) do not divide over 4 processes"),
        ({"batch": {"accumulation": 4}}, 4, "8 sequences of a step do not divide into 4 micro"),
        (
            RLVR | {"generation": {"type": "vllm_colocate", "tensor_parallel": 2}}
            | {"batch": {"prompts": 3, "group_size": 4}},
            3,
            r"tensor_parallel \(2\) does not divide the 3 processes",
        ),
    ],
)  # fmt: skip
def test_what_does_not_divide_over_the_processes_is_named(
    changes: dict[str, Any], processes: int, message: str
) -> None:
    recipe = tiny_recipe(changes)
    with pytest.raises(SettingsError, match=message):
        require_division(recipe, processes)


@pytest.mark.parametrize(
    ("sharded", "variables", "message"),
    [
        (False, {"ACCELERATE_USE_DEEPSPEED": "true"}, "not DeepSpeed"),
        (True, {}, "FSDP1 is not trained with"),
        (True, FSDP2, "shards no model on CPUs"),
    ],
)
def test_engines_that_would_train_something_else_are_refused(
    monkeypatch: pytest.MonkeyPatch, sharded: bool, variables: dict[str, str], message: str
) -> None:
    monkeypatch.setattr("hodograph.training.launch.shards", lambda: False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=message):
        require_launch(tiny_recipe(), World(rank=0, size=2, sharded=sharded))


@pytest.mark.parametrize("switch", ["CPU_RAM_EFFICIENT_LOADING", "ACTIVATION_CHECKPOINTING"])
def test_switches_of_fsdp_that_a_recipe_cannot_keep_are_named(
    monkeypatch: pytest.MonkeyPatch, switch: str
) -> None:
    monkeypatch.setattr("hodograph.training.launch.shards", lambda: True)
    monkeypatch.setenv("FSDP_VERSION", "2")
    monkeypatch.setenv(f"FSDP_{switch}", "true")
    with pytest.raises(SettingsError, match=f"set fsdp_{switch.lower()}: false"):
        require_launch(tiny_recipe(), World(rank=0, size=2, sharded=True))


def test_the_config_of_fsdp2_is_let_through_and_spreads_weights_that_are_gathered_a_layer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("hodograph.training.launch.shards", lambda: True)
    found = switches("fsdp2")
    assert found["ACCELERATE_USE_FSDP"] == found["FSDP_RESHARD_AFTER_FORWARD"] == "true"
    assert found["FSDP_STATE_DICT_TYPE"] == "SHARDED_STATE_DICT"
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    require_launch(tiny_recipe(), World(rank=0, size=2, sharded=True))


def test_a_fitting_recipe_is_let_through() -> None:
    require_launch(tiny_recipe(RLVR), TWO)
