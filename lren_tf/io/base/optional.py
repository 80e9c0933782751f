"""Packages that only some formats need."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lren_tf.errors import InputError


@contextmanager
def needs(package: str, doing: str, extra: str = "geo") -> Iterator[None]:
    """Refuse with the name of the extra if a package that the body imports is missing.

    Args:
        package: what is imported.
        doing: what needs it, such as `reading a GeoTIFF`.
        extra: the extra that has it.

    Raises:
        InputError: the package is not installed; the message says what to install.
    """
    try:
        yield
    except ImportError:
        raise InputError(
            received=f"{doing} needs {package}, which is not installed",
            remedy=f"run pip install 'lren-tf[{extra}]'",
        ) from None
