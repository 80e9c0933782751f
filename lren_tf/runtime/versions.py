"""Versions of the packages that the numbers of a run depend on."""

from __future__ import annotations

import importlib
import platform
import sys
from collections.abc import Iterable

from lren_tf.version import __version__

_PACKAGES = ("tensorflow", "keras", "numpy", "scipy")
_MORE_PACKAGES = {"sklearn": "scikit-learn", "skimage": "scikit-image"}


def versions() -> dict[str, str]:
    """Versions of this package, of Python, and of the packages that the numbers depend on.

    Imports those packages, TensorFlow included.
    """
    return _versions(_PACKAGES)


def loaded_versions() -> dict[str, str]:
    """Versions of this package, of Python, and of the packages imported so far.

    The packages are those that a detector can use. A package that no detector imported has not
    touched a number, and importing TensorFlow for its version takes seconds.
    """
    return _versions(name for name in (*_PACKAGES, *_MORE_PACKAGES) if name in sys.modules)


def _versions(modules: Iterable[str]) -> dict[str, str]:
    # Read from the modules themselves: TensorFlow is distributed under several names.
    return {
        "lren_tf": __version__,
        "python": platform.python_version(),
        **{
            _MORE_PACKAGES.get(name, name): str(importlib.import_module(name).__version__)
            for name in modules
        },
    }
