"""Plug-ins: what other packages offer under a group of entry points."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from lren_tf.errors import InputError, TrainingDiverged

Fault = Callable[[str, type[Any]], str]
"""Check of a class that a plug-in offers under a name: its fault, or empty."""

_OWN = (InputError, TrainingDiverged, MemoryError)
"""Exceptions that a plug-in may raise on purpose, and those that are not its fault."""


def plugins(group: str) -> dict[str, EntryPoint]:
    """Plug-ins by name, in alphabetical order; none of them is imported.

    Of several of one name the first counts; a `UserWarning` tells of the others, once in a
    process.

    Args:
        group: such as `lren_tf.readers`.
    """
    # Packages can be added to the path while a process runs, in a notebook above all.
    return _points(group, tuple(sys.path))


def plugin_class(point: EntryPoint, kind: type, fault: Fault | None = None) -> type[Any] | None:
    """The class that a plug-in offers, imported on first use.

    One that cannot be imported, or is not what it should be, costs only itself: it is None, and a
    `UserWarning` names it, once in a process.

    Args:
        point: from `plugins`.
        kind: what the class has to be a subclass of.
        fault: what else may be wrong with it.
    """
    found = _loaded(point, kind, fault, tuple(sys.path))
    if isinstance(found, type):
        return found
    _tell_once(point, found, tuple(sys.path))
    return None


def required_class(point: EntryPoint, kind: type, fault: Fault | None = None) -> type[Any]:
    """The class that a plug-in offers and somebody asks for by its name.

    Args:
        point, kind, fault: as for `plugin_class`.

    Raises:
        InputError: it cannot be used; it says why, and whose mistake that is.
    """
    found = _loaded(point, kind, fault, tuple(sys.path))
    if isinstance(found, type):
        return found
    raise InputError(
        received=f"the plug-in '{point.name}' of {package_of(point)} cannot be used: "
        f"{found.rstrip('.')}",
        expected=f"a {kind.__name__}",
        remedy="report it to the author of the plug-in, or uninstall it",
    )


def package_of(point: EntryPoint) -> str:
    """Name of the package that a plug-in comes from."""
    return "an unknown package" if point.dist is None else point.dist.name


@contextmanager
def blaming(plugin: str, subject: str = "", expected: str = "") -> Iterator[None]:
    """Report mistakes of a plug-in that the body calls as its own.

    Args:
        plugin: what messages call it, such as `'lines'`; empty if it is none, and every error
            stays what it is.
        subject: what it was at, such as the name of a file.
        expected: what it should have done.

    Raises:
        InputError: it raised something else than a refusal.
    """
    try:
        yield
    except _OWN:
        raise
    except Exception as error:  # whatever a stranger's code raises
        if not plugin:
            raise
        before = f"{subject}: " if subject else ""
        raise InputError(
            received=f"{before}the plug-in {plugin} failed ({_reason(error)})",
            expected=expected or "scores, or a refusal with its reason",
            remedy="report it to the author of the plug-in, or uninstall it",
        ) from error


def _reason(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".")[:160]


@cache
def _points(group: str, path: tuple[str, ...]) -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for point in sorted(entry_points(group=group), key=lambda point: (point.name, point.value)):
        if found.setdefault(point.name, point) is not point:
            _tell(point, "another plug-in of this name comes first", 4)
    return found


@cache
def _loaded(
    point: EntryPoint, kind: type, fault: Fault | None, path: tuple[str, ...]
) -> type[Any] | str:
    """The class, or why it cannot be used."""
    try:
        found = point.load()
    except (Exception, SystemExit) as error:  # whatever a stranger's module does
        return _reason(error)
    if not (isinstance(found, type) and issubclass(found, kind)):
        return f"{point.value} is no subclass of {kind.__name__}"
    return (fault and fault(point.name, found)) or found


@cache
def _tell_once(point: EntryPoint, why: str, path: tuple[str, ...]) -> None:
    _tell(point, why, 5)


def _tell(point: EntryPoint, why: str, level: int) -> None:
    warnings.warn(
        f"the plug-in '{point.name}' of {package_of(point)} ({point.group}) is not used: "
        f"{why.rstrip('.')}.",
        stacklevel=level,
    )
