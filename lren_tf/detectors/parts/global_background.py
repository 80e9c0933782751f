"""Mean and covariance of many pixels, in a form that loses no digits: global RX taken apart."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import linalg

_EPS = np.finfo(np.float64).eps


class GlobalBackground(NamedTuple):
    """Mean and covariance of many pixels, in a form that loses no digits.

    It is the form of :func:`lren_tf.detectors.rx.global_rx`, whose scores the contributions add
    up to: bands scaled to unit variance, then turned to the principal axes and scaled again.
    """

    varying: npt.NDArray[np.bool_]
    """Which of the L bands vary, bool ``[L]``."""
    mean: npt.NDArray[np.float64]
    """Of the V bands that vary, as the four below."""
    largest: npt.NDArray[np.float64]
    shift: npt.NDArray[np.float64]
    deviation: npt.NDArray[np.float64]
    whitening: npt.NDArray[np.float64]
    """``[V, r]``: standardised bands times this have the identity as covariance."""

    @classmethod
    def of(cls, pixels: npt.NDArray[np.floating], ridge: float = 0.0) -> GlobalBackground:
        """Estimate it.

        Args:
            pixels: ``[N, L]``.
            ridge: added to the correlations' diagonal, as the setting of RX.
        """
        pixels = np.asarray(pixels, np.float64)
        low, high = pixels.min(axis=0), pixels.max(axis=0)
        with np.errstate(over="ignore"):
            varying = high - low > 4 * _EPS * np.maximum(np.abs(low), np.abs(high))
        mean = pixels[:, varying].mean(axis=0)
        unit = pixels[:, varying] - mean
        largest = np.abs(unit).max(axis=0, initial=0.0)
        unit /= largest
        shift = unit.mean(axis=0)
        unit -= shift
        deviation = _deviations(unit)
        unit /= deviation
        parts = varying, mean, largest, shift, deviation
        if not varying.any():
            return cls(*parts, np.zeros((0, 0)))
        if ridge > 0:
            R = unit.T @ unit / max(len(pixels) - 1, 1)
            R.flat[:: len(R) + 1] += ridge
            inverse = linalg.solve_triangular(linalg.cholesky(R), np.eye(len(R)))
            return cls(*parts, inverse)
        axes = linalg.eigh(unit.T @ unit)[1]
        turned = unit @ axes
        spread = _deviations(turned)
        kept = spread > max(unit.shape) * _EPS * spread.max()
        turned = turned[:, kept]
        scale = _deviations(turned)
        turned /= scale
        C = turned.T @ turned / max(len(pixels) - 1, 1)
        # C is the identity but for rounding and the divisor.
        values, vectors = linalg.eigh(C)
        return cls(*parts, (axes[:, kept] / scale) @ (vectors / np.sqrt(values)))

    def contributions(self, x: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return the contributions of the bands, float64 ``[..., L]``, 0 in bands that are equal.

        Args:
            x: spectra ``[..., L]``.
        """
        spectra = np.asarray(x, np.float64)
        z = (spectra[..., self.varying] - self.mean) / self.largest - self.shift
        z /= self.deviation
        out = np.zeros(spectra.shape)
        out[..., self.varying] = z * ((z @ self.whitening) @ self.whitening.T)
        return out

    def distances(self, x: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return squared Mahalanobis distances, float64 ``[...]``.

        Args:
            x: spectra ``[..., L]``.
        """
        z = (np.asarray(x, np.float64)[..., self.varying] - self.mean) / self.largest - self.shift
        return np.square((z / self.deviation) @ self.whitening).sum(axis=-1)

    def precision(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return centre ``[L]`` and precision matrix ``[L, L]``, 0 for bands that are equal."""
        bands = self.varying.size
        centre, matrix = np.zeros(bands), np.zeros((bands, bands))
        scale = self.largest * self.deviation
        centre[self.varying] = self.mean + self.shift * self.largest
        matrix[np.ix_(self.varying, self.varying)] = (
            self.whitening @ self.whitening.T / scale / scale[:, None]
        )
        return centre, matrix


def _deviations(centred: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.sqrt(np.einsum("ij,ij->j", centred, centred) / len(centred))
