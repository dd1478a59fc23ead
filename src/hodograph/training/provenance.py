"""What ran: versions, machine and the hash of the first weights. The only file with times."""

import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

import hodograph

PACKAGES = ("hodograph", "torch", "trl", "transformers", "accelerate", "datasets", "tokenizers")


def describe_environment() -> dict[str, Any]:
    """Return versions, platform, device, threads and the source's git commit (None if unknown)."""
    return {
        "versions": {"python": platform.python_version()} | {p: _version(p) for p in PACKAGES},
        "platform": platform.platform(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "threads": torch.get_num_threads(),
        "git_commit": _commit(Path(hodograph.__file__)),
    }


def now() -> str:
    """Return the current time in UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit(source: Path) -> str | None:
    """Commit of the checkout that tracks `source`; None when it is not run from one."""
    git = ["git", "-C", str(source.parent)]
    try:
        tracked = subprocess.run(
            [*git, "ls-files", "--error-unmatch", source.name], check=False, capture_output=True
        )
        head = subprocess.run([*git, "rev-parse", "HEAD"], check=False, capture_output=True)
    except FileNotFoundError:
        return None
    return head.stdout.decode().strip() if tracked.returncode == head.returncode == 0 else None
