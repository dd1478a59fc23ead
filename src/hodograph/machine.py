"""What of this machine a process may use: cores, and memory."""

import os
import re
from pathlib import Path

PROC, CGROUPS = Path("/proc"), Path("/sys/fs/cgroup")
FILES = {  # of a cgroup, by version: its limit, what it uses, and of that what it would give back
    2: ("memory.max", "memory.current", "inactive_file"),
    1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}


def usable_cores() -> int:
    """Cores this process may run on: a cpuset or `taskset` can leave it fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def available_memory() -> int | None:
    """Bytes that processes can still take, of the machine's and of this process's cgroup's.

    None where the system does not tell (it is not Linux).
    """
    found = re.search(r"^MemAvailable:\s+(\d+) kB", _text(PROC / "meminfo"), re.MULTILINE)
    if found is None:
        return None
    return max(0, min([int(found[1]) * 1024, *_left_in_cgroups()]))


def _left_in_cgroups() -> list[int]:
    """Bytes left below the limit of each cgroup that this process is in, up to the root."""
    found = []
    for line in _text(PROC / "self" / "cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        version, top = (1, CGROUPS / "memory") if controllers else (2, CGROUPS)
        own = top / path.strip("/")
        inside = [own, *own.parents]
        found += [_left(group, version) for group in inside[: inside.index(top) + 1]]
    return [left for left in found if left is not None]


def _left(group: Path, version: int) -> int | None:
    """Limit less what is in use, files that can be read again not counted; None without a limit."""
    limit, used, inactive = FILES[version]
    most, now = _text(group / limit).strip(), _text(group / used).strip()
    if not (most.isdigit() and now.isdigit()):
        return None  # no limit, or the cgroup is not to be seen from here
    files = re.search(rf"^{inactive} (\d+)$", _text(group / "memory.stat"), re.MULTILINE)
    return int(most) - int(now) + (int(files[1]) if files else 0)


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
