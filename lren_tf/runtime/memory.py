"""How much memory there is, and how much a training would take."""

from __future__ import annotations

import os
from pathlib import Path

from lren_tf.settings import Settings
from lren_tf.training.backprop import aligned_width

_CGROUPS = (
    # file with the limit, file with what is used; version 2, then 1
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def free_memory() -> int | None:
    """Bytes that can be had without swapping, within the limit of a container; None if unknown."""
    free = []
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        table = dict(line.split(":", 1) for line in lines)
        free.append(int(table["MemAvailable"].split()[0]) * 1024)
    except (OSError, KeyError, ValueError):
        try:
            free.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
        except (OSError, ValueError, AttributeError):
            return None
    for limit, used in _CGROUPS:
        try:
            free.append(int(Path(limit).read_text()) - int(Path(used).read_text()))
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return max(0, min(free))


def training_bytes(pixels: int, bands: int, settings: Settings) -> int:
    """Bytes that a training which holds everything takes beside the scene, estimated.

    The standardised pixels twice (as rows and as aligned rows); of a batch, for every member,
    the activations kept for the way back and those of the slices that are worked on, and the
    mixture's temporaries, k·l numbers a pixel in its precision, a few times over.

    Args:
        pixels: n.
        bands: U, those that enter the network.
        settings: of the training.
    """
    s = settings
    batch = pixels if s.batch_size is None else min(s.batch_size, pixels)
    width = aligned_width(bands)
    activations = 4 * (3 * s.hidden_units + 2 * width)
    wide = 8 if s.mixture_dtype == "float64" else 4
    mixture = 5 * wide * s.components * s.latent_units + 4 * 2 * s.estimator_units
    return 4 * pixels * (bands + width) + batch * s.members * (activations + mixture)


def kept_bytes(pixels: int, bands: int, settings: Settings, chunk: int) -> int:
    """Bytes of a training that keeps its standardised pixels and works on a chunk at a time.

    Beside the pixels and what a chunk takes, the latent samples of a batch for every member.

    Args:
        pixels, bands, settings: as for :func:`training_bytes`.
        chunk: pixels at a time.
    """
    s = settings
    at_once = training_bytes(chunk, bands, s)
    return 4 * pixels * (aligned_width(bands) + 2 * s.members * s.latent_units) + at_once


def fits(needed: int, limit: int | None) -> bool:
    """Whether so many bytes stay within a limit; None for half of what is free."""
    if limit is None:
        free = free_memory()
        return free is None or needed <= free // 2
    return needed <= limit
