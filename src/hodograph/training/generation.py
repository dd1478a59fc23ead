"""From a recipe's [generation] to TRL's settings."""

from importlib.util import find_spec
from typing import Any

from hodograph.errors import SettingsError
from hodograph.recipes import (
    Generation,
    TransformersGeneration,
    VllmColocateGeneration,
    VllmServerGeneration,
)


def require_generation(generation: Generation) -> None:
    """Refuse an engine that is not installed.

    Raises:
        SettingsError: vLLM is missing.
    """
    if not isinstance(generation, TransformersGeneration) and find_spec("vllm") is None:
        raise SettingsError(
            f"generation.type {generation.type!r} needs vLLM: pip install 'hodograph[vllm]'."
        )


def generation_settings(generation: Generation) -> dict[str, Any]:
    """Return what it sets of TRL's GRPOConfig.

    The correction is always asked for, since TRL measures the mismatch of log-probabilities with
    it alone; with ``none`` the trainer then leaves the loss as it is.
    """
    if isinstance(generation, TransformersGeneration):
        return {"use_vllm": False}
    asked: dict[str, Any] = (
        {} if generation.correction == "none" else {"mode": generation.correction}
    )
    asked["clip_max"] = generation.correction_max
    shared = {
        "use_vllm": True,
        "vllm_importance_sampling_correction": True,
        **{f"vllm_importance_sampling_{name}": value for name, value in asked.items()},
    }
    return shared | _mode(generation)


def _mode(generation: VllmColocateGeneration | VllmServerGeneration) -> dict[str, Any]:
    if isinstance(generation, VllmServerGeneration):
        return {"vllm_mode": "server", "vllm_server_base_url": generation.url}
    return {
        "vllm_mode": "colocate",
        "vllm_gpu_memory_utilization": generation.gpu_memory_utilization,
        "vllm_tensor_parallel_size": generation.tensor_parallel,
    }
