"""Free memory of the machine, within the limit of a container."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import psutil

_CGROUPS = (
    # file with the limit, file with what is used; version 2, then 1
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def free_memory() -> int | None:
    """Bytes that can be had without swapping, within the limit of a container; None if unknown."""
    free = []
    with suppress(psutil.Error, OSError, ValueError, KeyError):  # a system that hides it
        free.append(int(psutil.virtual_memory().available))
    for limit, used in _CGROUPS:
        with suppress(OSError, ValueError):  # no such file, or "max"
            room = int(Path(limit).read_text("ascii")) - int(Path(used).read_text("ascii"))
            free.append(room)
    return max(0, min(free)) if free else None


def fits(needed: int, limit: int | None) -> bool:
    """Return whether so many bytes stay within a limit; None for half of what is free."""
    if limit is None:
        free = free_memory()
        return free is None or needed <= free // 2
    return needed <= limit
