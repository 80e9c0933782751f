"""RX: squared Mahalanobis distance to the mean of the scene (Reed & Yu, 1990)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from scipy import linalg

from lren_tf.detectors.base import Detector


def global_rx(pixels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(x − m)ᵀ C⁺ (x − m) of every pixel [N] for pixels [N, L].

    m is the mean, C the covariance (divisor N − 1) of all pixels. A singular C, as constant
    or repeated bands make it, is inverted on its range (pseudo-inverse).
    """
    centred = pixels - pixels.mean(axis=0)
    C = centred.T @ centred / max(len(pixels) - 1, 1)
    return np.einsum("ij,ij->i", centred @ linalg.pinvh(C), centred)


@dataclass(frozen=True)
class RX(Detector):
    """Global RX, without parameters.

    Source: I. S. Reed and X. Yu, "Adaptive multiple-band CFAR detection of an optical
    pattern with unknown spectral distribution", IEEE TASSP 38(10), 1990. It is the squared
    distance, not its root, which is what the comparisons in the field score.
    """

    name: ClassVar[str] = "rx"
    title: ClassVar[str] = "RX"
    spatial: ClassVar[bool] = False

    def _score(self, cube: npt.NDArray[np.float64]) -> np.ndarray:
        return global_rx(cube.reshape(-1, cube.shape[2])).reshape(cube.shape[:2])
