"""Versions a figure depends on."""

import platform
from importlib.metadata import version

PACKAGES = ("hodograph", "torch", "numpy", "safetensors")


def versions() -> dict[str, str]:
    """Those of this process, by name."""
    return {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}
