"""Detectors by name; each has its module, and all have one protocol (`base.Detector`).

The module of a detector is imported on first use: some need TensorFlow, most do not. So is the
protocol, for which scikit-learn is imported. Other packages add detectors by entry points of the
group `lren_tf.detectors`.
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import inspect
from typing import TYPE_CHECKING, Any

from lren_tf.errors import InputError
from lren_tf.runtime.plugins import (
    blaming,
    package_of,
    plugin_class,
    plugins,
    required_class,
)
from lren_tf.runtime.startup import require_tensorflow_backend

if TYPE_CHECKING:
    from lren_tf.detectors.base import Detector, InductiveDetector

__all__ = [
    "Detector",
    "InductiveDetector",
    "check_name",
    "create",
    "detector_class",
    "names",
    "offered",
]

GROUP = "lren_tf.detectors"

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
    """Names of all detectors, in the order of the paper's tables, then those of other packages.

    A plug-in that cannot be used is not among them; a `UserWarning` names it once.
    """
    found = plugins(GROUP)
    if not found:
        return list(_HOMES)
    kind = _base().Detector
    usable = [name for name, point in found.items() if plugin_class(point, kind, _fault)]
    return [*_HOMES, *usable]


def offered() -> list[str]:
    """Return `names` without importing plug-ins; one that cannot be used is among them."""
    return [*_HOMES, *(name for name in plugins(GROUP) if name not in _HOMES)]


def check_name(name: str) -> None:
    """Refuse a name that no detector has, without importing one.

    Args:
        name: on the command line, such as `rx`.

    Raises:
        InputError: no detector has this name.
    """
    known = offered()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise InputError(
            f"detector {name!r} is unknown; expected one of {', '.join(known)}.{hint}"
        )


def detector_class(name: str) -> type[Detector]:
    """The class of a detector.

    Args:
        name: see `names`.

    Raises:
        InputError: no detector has this name, it cannot run with the backend of Keras, or it is a
            plug-in that cannot be used.
    """
    check_name(name)
    if name not in _HOMES:
        point = plugins(GROUP)[name]
        made = required_class(point, _base().Detector, _fault)
        made.plugin = f"'{name}' of {package_of(point)}"
        return made
    if name in _WITH_KERAS:
        require_tensorflow_backend()
    module, attribute = _HOMES[name]
    return getattr(importlib.import_module(f"lren_tf.detectors.{module}"), attribute)


def create(name: str, /, **settings: Any) -> Detector:
    """A detector with its defaults, single settings replaced; an estimator of scikit-learn.

    Args:
        name: see `names`.
        **settings: of the detector, and `false_alarm_rate`, which `predict` uses.

    Raises:
        InputError: unknown detector, unknown setting, or a value that is not allowed.
    """
    made = detector_class(name)
    known = made.setting_names()
    for setting in settings:
        if setting not in (*known, "false_alarm_rate"):
            raise InputError(
                f"setting {setting!r} is unknown to {made.title}; expected "
                f"{'one of ' + ', '.join(known) if known else 'no setting'}."
            )
    with blaming(made.plugin):
        return made(**settings)


def __getattr__(name: str) -> Any:
    if name in ("Detector", "InductiveDetector"):
        return getattr(_base(), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _base() -> Any:
    return importlib.import_module("lren_tf.detectors.base")


def _fault(name: str, made: type[Detector]) -> str:
    """Return the fault of the class of a plug-in; empty if there is none."""
    if name in _HOMES:
        return "lren_tf has a detector of this name"
    parameters = vars(made).get("__dataclass_params__")
    if parameters is None or not parameters.frozen:
        return f"{made.__name__} is no dataclass(frozen=True)"
    if inspect.isabstract(made):
        return f"{made.__name__} does not define {', '.join(sorted(made.__abstractmethods__))}"
    if getattr(made, "name", None) != name:
        return f"the name of {made.__name__} is not that of the entry point"
    if not isinstance(getattr(made, "title", None), str) or not made.title:
        return f"{made.__name__} has no title"
    missing = (dataclasses.MISSING, dataclasses.MISSING)
    bare = [f.name for f in dataclasses.fields(made) if (f.default, f.default_factory) == missing]
    if bare:
        return f"{made.__name__} has no default for {', '.join(bare)}"
    if made.stochastic != ("seed" in made.setting_names()):
        return f"{made.__name__} has to have a seed if it is stochastic, and only then"
    return ""
