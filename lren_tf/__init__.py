"""LREN (Low-Rank Embedded Network, AAAI 2021) for hyperspectral anomaly detection.

The public names are those listed here; everything else may change without notice. A name is
loaded when it is first used, so that reading a scene or evaluating a map does not wait for
TensorFlow. Type checkers read ``__init__.pyi``.
"""

from __future__ import annotations

import importlib
import logging
from typing import Any

from lren_tf.version import __version__

# A program that does not ask for messages gets none, not even on stderr.
logging.getLogger(__name__).addHandler(logging.NullHandler())

_HOMES = {
    # public name -> module that defines it
    "EpochLog": "lren_tf.training.callbacks",
    "InputError": "lren_tf.errors",
    "LREN": "lren_tf.model.lren",
    "LowRankResult": "lren_tf.low_rank.solve",
    "Scene": "lren_tf.io",
    "Settings": "lren_tf.settings",
    "TrainingDiverged": "lren_tf.errors",
    "find_detections": "lren_tf.evaluation.detections",
    "load_map": "lren_tf.io",
    "load_scene": "lren_tf.io",
    "save_map": "lren_tf.io",
    "solve_low_rank": "lren_tf.low_rank.solve",
    "threshold_at": "lren_tf.evaluation.threshold",
    "view": "lren_tf.viewer.view",
}
_MODULES = {
    # public name -> module
    "datasets": "lren_tf.datasets",
    "detectors": "lren_tf.detectors",
    "explain": "lren_tf.explain",
    "io": "lren_tf.io",
    "metrics": "lren_tf.evaluation.metrics",
    "plots": "lren_tf.plots",
}

__all__ = ["__version__", *sorted(_HOMES), *sorted(_MODULES)]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    raise AttributeError(f"module 'lren_tf' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
