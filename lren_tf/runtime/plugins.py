"""Plug-ins: what other packages offer under a group of entry points."""

from __future__ import annotations

import sys
import warnings
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any


def plugins(group: str, kind: type) -> dict[str, type[Any]]:
    """Classes that installed packages offer, by the name of the entry point.

    One that cannot be imported, or is not what it should be, costs only itself: a `UserWarning`
    names it, once in a process.

    Args:
        group: such as `lren_tf.readers`.
        kind: the class that each of them is a subclass of.
    """
    # Packages can be added to the path while a process runs, in a notebook above all.
    return _plugins(group, kind, tuple(sys.path))


@cache
def _plugins(group: str, kind: type, path: tuple[str, ...]) -> dict[str, type[Any]]:
    found: dict[str, type[Any]] = {}
    for point in sorted(entry_points(group=group), key=lambda point: (point.name, point.value)):
        if point.name in found:
            _tell(point, group, "another one of this name comes first")
            continue
        try:
            loaded = point.load()
        except (Exception, SystemExit) as error:  # whatever a stranger's module does
            _tell(point, group, " ".join(f"{type(error).__name__}: {error}".split())[:160])
            continue
        if not (isinstance(loaded, type) and issubclass(loaded, kind)):
            _tell(point, group, f"{point.value} is no subclass of {kind.__name__}")
            continue
        found[point.name] = loaded
    return found


def _package_of(point: EntryPoint) -> str:
    """The distribution that an entry point belongs to."""
    return "an unknown package" if point.dist is None else point.dist.name


def _tell(point: EntryPoint, group: str, why: str) -> None:
    warnings.warn(
        f"the plug-in '{point.name}' of {_package_of(point)} ({group}) is not used: "
        f"{why.rstrip('.')}.",
        stacklevel=5,
    )
