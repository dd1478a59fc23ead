"""Which engine samples: what a recipe may say."""

from typing import Any

import pytest

from hodograph.errors import SettingsError
from hodograph.recipes import VllmColocateGeneration
from planted.runs import tiny_recipe

COLOCATE = {"generation": {"type": "vllm_colocate"}}
RLVR = {"objective": {"type": "rlvr"}}
TEACHER = {"teacher": {"type": "path", "path": "x"}}


def test_vllm_takes_trls_share_of_a_gpu_and_its_correction_unless_told() -> None:
    generation = tiny_recipe(RLVR | COLOCATE).generation
    assert isinstance(generation, VllmColocateGeneration)
    assert (generation.gpu_memory_utilization, generation.tensor_parallel) == (0.3, 1)
    assert (generation.correction, generation.correction_max) == ("sequence_mask", 3.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (COLOCATE, r"\[generation\] section needs an on-policy objective"),
        (RLVR | {"generation": {"type": "vllm"}}, "'vllm_colocate', 'vllm_server'"),
        (RLVR | {"generation": {"type": "vllm_server"}}, "'generation.url' is missing"),
        (
            RLVR | {"generation": {"type": "vllm_colocate", "gpu_memory_utilization": 1.0}},
            "gpu_memory_utilization",
        ),
        (
            RLVR | COLOCATE | TEACHER | {"rollout": {"type": "teacher"}},
            "samples from the student alone",
        ),
    ],
)
def test_what_no_engine_can_do_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        tiny_recipe(changes)
