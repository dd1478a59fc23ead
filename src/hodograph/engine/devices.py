"""Where matrices are factored: the CPU, or CUDA devices, one process each."""

import torch

from hodograph.errors import SettingsError
from hodograph.machine import usable_cores


def check_device(device: str, workers: int) -> None:
    """Refuse a device that is not there, and processes that there are no devices alike for.

    Raises:
        SettingsError: no CUDA, no device of that number, more workers than devices, or devices
            of several models among those that the workers would take.
    """
    if device == "cpu":
        return
    present = devices_here()
    if present == 0:
        raise SettingsError(
            f"device is {device!r}, and PyTorch {torch.__version__} sees no CUDA device.\n"
            "  Install a PyTorch built for CUDA and its driver, or measure with --device cpu."
        )
    if device != "cuda" and int(device.partition(":")[2]) >= present:
        raise SettingsError(f"device is {device!r}; there are {present}: cuda:0 to {present - 1}.")
    usable = present if device == "cuda" else 1
    if workers > usable:
        raise SettingsError(
            f"workers is {workers}, and {device} is {usable} CUDA device(s): one process each.\n"
            f"  Measure with --workers {usable}, or more processes with --device cpu."
        )
    models = {torch.cuda.get_device_name(index) for index in range(workers)}
    if device == "cuda" and len(models) > 1:
        raise SettingsError(
            f"workers is {workers}, and these CUDA devices are of several models, whose numbers"
            f" differ in their last digits: {', '.join(sorted(models))}.\n"
            "  Name those of one model in CUDA_VISIBLE_DEVICES, or measure with --workers 1."
        )


def devices_here() -> int:
    """CUDA devices that PyTorch sees."""
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def most_workers(device: str) -> int:
    """Processes that can work at once: one a core, or one a CUDA device."""
    if device == "cpu":
        return usable_cores()
    return max(1, devices_here()) if device == "cuda" else 1


def kind_of(device: str) -> str:
    """What numbers depend on in their last digits: "cpu", or the model of the CUDA device."""
    if device == "cpu":
        return device
    return f"cuda, {torch.cuda.get_device_name(device)}, CUDA {torch.version.cuda}"


def use_cuda_device(index: int) -> None:
    """Let "cuda" mean this device in the calling process."""
    torch.cuda.set_device(index)
