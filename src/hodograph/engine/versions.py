"""Versions a figure depends on."""

import platform
from importlib.metadata import version

PACKAGES = ("hodograph", "torch", "numpy", "scipy", "numba", "safetensors")


def versions() -> dict[str, str]:
    """Those of this process, by name."""
    return {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}
