"""Score map of a detector with the time and the memory that it took."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lren_tf.data.scene import Scene
from lren_tf.errors import InputError
from lren_tf.evaluation.score_array import score_map
from lren_tf.runtime.peak_memory import PeakMemory, give_back_freed

if TYPE_CHECKING:
    from lren_tf.detectors.base import Detector


class Measured(NamedTuple):
    """Score map and its cost."""

    score: np.ndarray
    """[H, W], as `Detector.score` returns it."""
    seconds: float
    """Duration of the call; imports and the reading of the scene are none of it."""
    peak_bytes: int | None
    """Rise of the process's own memory above its value before; None where it is not known."""


def measured_score(detector: Detector, scene: Scene) -> Measured:
    """Score a scene, and measure how long it takes and how much memory.

    Raises:
        InputError: the detector refuses the scene, or returns no score for each pixel, which one
            of another package may do.
    """
    give_back_freed()
    with PeakMemory() as memory:
        started = time.perf_counter()
        score = detector.score(scene)
        seconds = time.perf_counter() - started
    found = score_map(score, f"what {detector.title} returns")
    if found.shape != scene.shape[:2]:
        raise InputError(
            received=f"{detector.title} returns scores of shape {found.shape}",
            expected=f"{scene.height} × {scene.width}, one for each pixel",
        )
    return Measured(score, seconds, memory.bytes)
