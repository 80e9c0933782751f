"""RX: squared Mahalanobis distance to the mean of the scene (Reed & Yu, 1990)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from scipy import linalg

from lren_tf import validators
from lren_tf.data.scene import Scene
from lren_tf.detectors.base import Detector
from lren_tf.detectors.parts.global_background import GlobalBackground
from lren_tf.errors import InputError

_EPS = np.finfo(np.float64).eps


def global_rx(
    pixels: npt.NDArray[np.float64], ridge: float = 0.0
) -> npt.NDArray[np.float64]:
    """(x − m)ᵀ C⁺ (x − m) of every pixel [N] for pixels [N, L].

    m is the mean, C the covariance (divisor N − 1) of all pixels. A singular C, as constant
    or repeated bands make it, is inverted on its range (pseudo-inverse).

    The distance is invariant under affine changes of single bands; C as it stands is not well
    enough conditioned for that: a band in a small unit, or every band next to one pixel of 1e7,
    would be rounding in it. So bands are scaled to unit variance, and the pixels turned to the
    principal axes and scaled to unit variance again, before their covariance is inverted. What
    is rounding (not a direction of the range) is judged on these deviations, not on squares.

    With a ridge above 0 it is zᵀ (R + ridge·I)⁻¹ z, z the bands scaled to unit variance and R
    their covariance, the correlations of the bands. The invariance holds as well.
    """
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    with np.errstate(over="ignore"):
        # A spread of a few units in the last place is rounding.
        varying = high - low > 4 * _EPS * np.maximum(np.abs(low), np.abs(high))
    if not varying.any():
        return np.zeros(len(pixels))
    centred = pixels[:, varying] - pixels[:, varying].mean(axis=0)
    unit = centred / np.abs(centred).max(axis=0)  # any float64 can be squared now
    unit -= unit.mean(axis=0)
    unit /= _deviations(unit)
    if ridge > 0:
        R = unit.T @ unit / max(len(pixels) - 1, 1)
        R.flat[:: len(R) + 1] += ridge
        # Columns of U⁻¹zᵀ have the form as their squared lengths: UᵀU is R with its ridge.
        turned = linalg.solve_triangular(linalg.cholesky(R), unit.T, trans="T")
        return np.einsum("ij,ij->j", turned, turned)
    axes = linalg.eigh(unit.T @ unit)[1]
    turned = unit @ axes
    deviations = _deviations(turned)
    turned = turned[:, deviations > max(unit.shape) * _EPS * deviations.max()]
    turned /= _deviations(turned)
    C = turned.T @ turned / max(len(pixels) - 1, 1)
    return np.einsum("ij,ij->i", turned @ linalg.pinvh(C), turned)


def _deviations(centred: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Root mean square of every column."""
    return np.sqrt(np.einsum("ij,ij->j", centred, centred) / len(centred))


@dataclass(frozen=True)
class RX(Detector):
    """Global RX; the textbook's has no parameters.

    Source: I. S. Reed and X. Yu, "Adaptive multiple-band CFAR detection of an optical
    pattern with unknown spectral distribution", IEEE TASSP 38(10), 1990. It is the squared
    distance, not its root, which is what the comparisons in the field score.

    The ridge is an addition. Neighbouring bands are so alike that the textbook divides by
    variances which are noise; a ridge bounds them from below. It is fixed at 0, so that RX
    stays the baseline of the field.

    Measured on eleven real scenes, AUC(Pd,Pf), mean and lowest: 0 has .944 and .822, 1e-4 .951
    and .821, 1e-3 .957 and .841, 1e-2 .959 and .851, 0.1 .959 and .840. At 1e-2 seven scenes
    gain, up to .089, and four lose, at most .005.
    """

    name: ClassVar[str] = "rx"
    title: ClassVar[str] = "RX"
    spatial: ClassVar[bool] = False
    takes_background: ClassVar[bool] = True

    ridge: float = 0.0
    """Added to the diagonal of the covariance of the bands scaled to unit variance, as a share
    of that variance; 0 is the textbook."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "ridge", validators.not_negative("ridge", self.ridge))

    def _score(self, cube: npt.NDArray[np.float64]) -> np.ndarray:
        return global_rx(cube.reshape(-1, cube.shape[2]), self.ridge).reshape(cube.shape[:2])

    def _scores_against(
        self, scene: Scene, background: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.float64]:
        good = slice(None) if scene.good_bands is None else scene.good_bands
        pixels = scene.cube[background][:, good]
        if len(pixels) <= pixels.shape[1] + 1:
            raise InputError(
                f"{scene.name}: the background region has {len(pixels)} pixels and "
                f"{pixels.shape[1]} bands are used; expected more pixels than bands and one, or "
                "their covariance is singular: mark a larger region or take fewer bands."
            )
        found = GlobalBackground.of(pixels, self.ridge)
        return found.distances(scene.valid_pixels[:, good])
