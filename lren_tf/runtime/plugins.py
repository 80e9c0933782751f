"""Plug-ins: what other packages offer under a group of entry points."""

from __future__ import annotations

import sys
import warnings
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any


def plugins(group: str) -> dict[str, EntryPoint]:
    """Plug-ins by name, in alphabetical order; none of them is imported.

    Of several of one name the first counts; a `UserWarning` tells of the others, once in a
    process.

    Args:
        group: such as `lren_tf.readers`.
    """
    # Packages can be added to the path while a process runs, in a notebook above all.
    return _points(group, tuple(sys.path))


def plugin_class(point: EntryPoint, kind: type) -> type[Any] | None:
    """The class that a plug-in offers, imported on first use.

    One that cannot be imported, or is not what it should be, costs only itself: it is None, and a
    `UserWarning` names it, once in a process.

    Args:
        point: from `plugins`.
        kind: what the class has to be a subclass of.
    """
    return _loaded(point, kind, tuple(sys.path))


@cache
def _points(group: str, path: tuple[str, ...]) -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for point in sorted(entry_points(group=group), key=lambda point: (point.name, point.value)):
        if found.setdefault(point.name, point) is not point:
            _tell(point, "another plug-in of this name comes first")
    return found


@cache
def _loaded(point: EntryPoint, kind: type, path: tuple[str, ...]) -> type[Any] | None:
    try:
        found = point.load()
    except (Exception, SystemExit) as error:  # whatever a stranger's module does
        _tell(point, " ".join(f"{type(error).__name__}: {error}".split())[:160])
        return None
    if not (isinstance(found, type) and issubclass(found, kind)):
        _tell(point, f"{point.value} is no subclass of {kind.__name__}")
        return None
    return found


def _tell(point: EntryPoint, why: str) -> None:
    package = "an unknown package" if point.dist is None else point.dist.name
    warnings.warn(
        f"the plug-in '{point.name}' of {package} ({point.group}) is not used: {why.rstrip('.')}.",
        stacklevel=5,
    )
