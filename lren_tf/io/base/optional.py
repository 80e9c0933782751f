"""Packages that only some formats need."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lren_tf.errors import InputError


@contextmanager
def needs(package: str, doing: str) -> Iterator[None]:
    """For a body that imports a package of the extra `geo`.

    Args:
        package: what is imported.
        doing: what needs it, such as `reading a GeoTIFF`.

    Raises:
        InputError: the package is not installed; the message says what to install.
    """
    try:
        yield
    except ImportError:
        raise InputError(
            received=f"{doing} needs {package}, which is not installed",
            remedy="run pip install 'lren-tf[geo]'",
        ) from None
