"""Versions a figure depends on."""

import platform
from functools import cache
from importlib.metadata import version

PACKAGES = ("hodograph", "torch", "numpy", "scipy", "numba", "safetensors")


def versions() -> dict[str, str]:
    """Those of this process, by name."""
    return {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES}


@cache
def _version(package: str) -> str:
    """As it stands in the package's own files, which take a millisecond to read."""
    return version(package)
