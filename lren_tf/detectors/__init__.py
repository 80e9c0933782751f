"""Detectors by name; each has its module, and all have one protocol (`base.Detector`).

The module of a detector is imported on first use: some need TensorFlow, most do not.
"""

from __future__ import annotations

import difflib
import importlib
from typing import Any

from lren_tf.detectors.base import Detector
from lren_tf.errors import InputError
from lren_tf.runtime.startup import require_tensorflow_backend

__all__ = ["Detector", "check_name", "create", "detector_class", "names"]

_HOMES = {
    # name on the command line -> module and class
    "rx": ("rx", "RX"),
    "lrx": ("lrx", "LRX"),
    "adlr": ("adlr", "ADLR"),
    "pab_dc": ("pab_dc", "PABDC"),
    "aae_rx": ("aae", "AAERX"),
    "aae": ("aae", "AAE"),
    "crd": ("crd", "CRD"),
    "lsdm_mog": ("lsdm_mog", "LSDMMoG"),
    "aed": ("aed", "AED"),
    "hadgan": ("hadgan", "HADGAN"),
    "kifd": ("kifd", "KIFD"),
    "auto_ad": ("auto_ad", "AutoAD"),
    "pca_tlrsr": ("pca_tlrsr", "PCATLRSR"),
    "lren": ("lren", "LREN"),
}


_WITH_KERAS = ("aae_rx", "aae", "hadgan", "auto_ad")
"""Detectors whose modules import Keras."""


def names() -> list[str]:
    """Names of all detectors, in the order of the paper's tables."""
    return list(_HOMES)


def check_name(name: str) -> None:
    """Refuse a name that no detector has, without importing one.

    Raises:
        InputError: no detector has this name.
    """
    if name not in _HOMES:
        near = difflib.get_close_matches(name, _HOMES, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise InputError(
            f"detector {name!r} is unknown; expected one of {', '.join(_HOMES)}.{hint}"
        )


def detector_class(name: str) -> type[Detector]:
    """The class of a detector.

    Raises:
        InputError: no detector has this name, or it cannot run with the backend of Keras.
    """
    check_name(name)
    if name in _WITH_KERAS:
        require_tensorflow_backend()
    module, attribute = _HOMES[name]
    return getattr(importlib.import_module(f"lren_tf.detectors.{module}"), attribute)


def create(name: str, /, **settings: Any) -> Detector:
    """A detector with its defaults, single settings replaced.

    Raises:
        InputError: unknown detector, unknown setting, or a value that is not allowed.
    """
    made = detector_class(name)
    known = made.setting_names()
    for setting in settings:
        if setting not in known:
            raise InputError(
                f"setting {setting!r} is unknown to {made.title}; expected "
                f"{'one of ' + ', '.join(known) if known else 'no setting'}."
            )
    return made(**settings)
