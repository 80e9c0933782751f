"""Evidence that a training has computed, for the first score of the same scene."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import keras
import numpy as np

from lren_tf.data.scene import data_sha256
from lren_tf.evidence.fusion import Weighed
from lren_tf.model.inputs import ModelInput


class FirstScore:
    """Evidence of the scene that a model has just learned of, for one score.

    It is told by the values: pixels that were changed in place, or other weights, are another
    scene or model. Hashing them takes a hundredth of the time of the evidence.
    """

    def __init__(self) -> None:
        self._key = ""
        self._weighed: Weighed | None = None

    def keep(
        self, weights: Iterable[keras.Variable], data: ModelInput, weighed: Weighed | None
    ) -> None:
        """Keep the evidence of a scene, in the place of any other.

        Args:
            weights: all weights of the model.
            data: the scene.
            weighed: its evidence; None where the scores are made of something else.
        """
        self._weighed = weighed
        self._key = "" if weighed is None else _key(weights, data)

    def take(self, weights: Iterable[keras.Variable], data: ModelInput) -> Weighed | None:
        """Return the evidence if it is that of these weights and this scene, and forget it."""
        weighed, self._weighed = self._weighed, None
        return weighed if weighed is not None and self._key == _key(weights, data) else None


def _key(weights: Iterable[keras.Variable], data: ModelInput) -> str:
    digest = hashlib.sha256(data_sha256(data.pixels).encode())
    digest.update(repr((data.grid, data.pixels.shape, data.pixels.dtype)).encode())
    for part in (data.valid, data.good_bands):
        digest.update(b"all" if part is None else np.ascontiguousarray(part).tobytes())
    for weight in weights:
        digest.update(np.ascontiguousarray(weight.numpy()).tobytes())
    return digest.hexdigest()
