"""Detectors that compare a pixel with the ring of pixels around it."""

from __future__ import annotations

import abc
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from lren_tf.data.filled_pixels import FilledPixels
from lren_tf.data.scene import Scene
from lren_tf.detectors.base import InductiveDetector
from lren_tf.detectors.parts.background_only import BackgroundOnly, Own, own_spectra
from lren_tf.detectors.parts.dual_window import Image, Ranged

Range = tuple[float, float]


class RingDetector(InductiveDetector):
    """A detector whose background is the ring around the pixel, in the scene that is scored.

    All that `fit` can learn is the range by which spectra are scaled to [0, 1], which gives the
    settings of the detector their unit.
    """

    streams: ClassVar[bool] = True
    takes_background: ClassVar[bool] = True

    @abc.abstractmethod
    def _against_rings(self, image: Image, own: Own) -> npt.NDArray[np.float64]:
        """Scores [H, W] of the pixels of an image.

        Args:
            image: whose rings they are compared with.
            own: gives the spectra of the pixels of a block.
        """

    def _fit(self, pixels: FilledPixels) -> tuple[Range, np.ndarray]:
        limits = pixels.extremes()
        return limits, self._score_by(limits, pixels)

    def _score_by(self, learned: Range, pixels: FilledPixels) -> np.ndarray:
        return self._against_rings(Ranged(pixels, learned), own_spectra)

    def _fit_against(
        self, scene: Scene, background: npt.NDArray[np.bool_]
    ) -> tuple[Range, npt.NDArray[np.float64]]:
        against = BackgroundOnly(FilledPixels(scene), background)
        scores = self._against_rings(against, against.own_spectra)
        return against.extremes(), self._valid(scores, scene)

    def _scores_by(self, learned: Range, scene: Scene) -> npt.NDArray[np.float64]:
        if scene.background is None:
            return super()._scores_by(learned, scene)
        against = BackgroundOnly(FilledPixels(scene), scene.background, learned)
        return self._valid(self._against_rings(against, against.own_spectra), scene)
