"""Spectra of a page as small whole numbers, with a stated error."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lren_tf.data.scene import Scene
from lren_tf.viewer.grid import Blocks, blocks_of

BYTES = 4_200_000
"""Most bytes of the spectra of a whole scene before compression."""
THINNED_BYTES = 2_400_000
"""Most bytes of spectra of a scene that not even one byte for each value would hold."""
_AT_A_TIME = 65536


class Quantised(NamedTuple):
    """Spectra of some pixels: value = low + number · step, band by band."""

    blocks: Blocks
    """One spectrum is kept in each."""
    places: np.ndarray
    """``[n]``, the pixel of each block, row after row."""
    numbers: np.ndarray
    """``[n, B]``, uint16 or uint8; 0 in bands that are not good and pixels without data."""
    low: np.ndarray
    """float64 ``[B]``."""
    step: np.ndarray
    """float64 ``[B]``; the error of a value is at most half of it."""

    @property
    def error(self) -> float:
        """Largest error of a value, as a share of the range of its band."""
        return 0.5 / np.iinfo(self.numbers.dtype).max


def quantised(scene: Scene, score: np.ndarray) -> Quantised:
    """Return the spectra of a scene, of all pixels or of one in each block.

    Two bytes for each value where they fit, else one, else blocks of pixels with the spectrum of
    the pixel that scores highest.

    Args:
        scene: the scene.
        score: ``[H, W]``.
    """
    values = scene.height * scene.width * scene.bands
    dtype: type[np.uint16] | type[np.uint8] = np.uint16 if 2 * values <= BYTES else np.uint8
    largest = int(np.iinfo(dtype).max)
    most = scene.height * scene.width if values <= BYTES else THINNED_BYTES // scene.bands
    blocks = blocks_of(scene.height, scene.width, max(most, 1))
    places = blocks.highest(score)
    good = np.ones(scene.bands, bool) if scene.good_bands is None else scene.good_bands
    low, high = np.full(scene.bands, np.inf), np.full(scene.bands, -np.inf)
    parts = [slice(start, start + _AT_A_TIME) for start in range(0, len(places), _AT_A_TIME)]
    for part in parts:
        spectra, data = _spectra(scene, places[part])
        if data.any():
            low = np.minimum(low, spectra[data].min(axis=0))
            high = np.maximum(high, spectra[data].max(axis=0))
    low, high = np.where(good, low, 0.0), np.where(good, high, 0.0)
    step = (high - low) / largest
    numbers = np.zeros((len(places), scene.bands), dtype)
    divisor = np.where(step > 0, step, 1.0)
    for part in parts:
        spectra, data = _spectra(scene, places[part])
        scaled = np.where(good & data[:, None], (spectra - low) / divisor, 0.0)
        numbers[part] = np.clip(np.rint(scaled), 0, largest)
    return Quantised(blocks, places, numbers, low, step)


def _spectra(scene: Scene, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Spectra float64 ``[n, B]``, and which hold data, bool ``[n]``."""
    rows, columns = np.divmod(places, scene.width)
    data = np.ones(len(places), bool) if scene.valid is None else scene.valid[rows, columns]
    return scene.cube[rows, columns].astype(np.float64), data
