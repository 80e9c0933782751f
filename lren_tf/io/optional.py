"""Packages that only some formats need."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lren_tf.errors import InputError


@contextmanager
def needs(package: str, what: str) -> Iterator[None]:
    """For a body that imports a package of the extra `geo`.

    Raises:
        InputError: the package is not installed; the message says what to install.
    """
    try:
        yield
    except ImportError:
        raise InputError(
            f"reading {what} needs {package}, which is not installed; "
            "run pip install 'lren-tf[geo]'."
        ) from None
