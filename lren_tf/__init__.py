"""LREN (Low-Rank Embedded Network, AAAI 2021) for hyperspectral anomaly detection.

Names are loaded when they are first used, so that reading a scene or judging a map does
not wait for TensorFlow.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from lren_tf.version import __version__

if TYPE_CHECKING:
    from lren_tf import datasets, metrics
    from lren_tf.errors import InputError, TrainingDiverged
    from lren_tf.io import load_map, load_scene
    from lren_tf.lowrank import LowRankResult, solve_low_rank
    from lren_tf.model import LREN
    from lren_tf.presets import Settings
    from lren_tf.scene import Scene

_HOMES = {
    "InputError": "errors",
    "LREN": "model",
    "LowRankResult": "lowrank",
    "Scene": "scene",
    "Settings": "presets",
    "TrainingDiverged": "errors",
    "load_map": "io",
    "load_scene": "io",
    "solve_low_rank": "lowrank",
}
_MODULES = ("datasets", "metrics")

__all__ = [
    "LREN",
    "InputError",
    "LowRankResult",
    "Scene",
    "Settings",
    "TrainingDiverged",
    "__version__",
    "datasets",
    "load_map",
    "load_scene",
    "metrics",
    "solve_low_rank",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"lren_tf.{_HOMES[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"lren_tf.{name}")
    raise AttributeError(f"module 'lren_tf' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
