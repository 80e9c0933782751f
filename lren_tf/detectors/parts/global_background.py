"""Mean and covariance of many pixels: distances to them, and contributions of the bands."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lren_tf.detectors.parts.second_moments import (
    Moments,
    Pixels,
    moments,
    squared_lengths,
    whitening,
)


class GlobalBackground(NamedTuple):
    """Statistics of pixels of L bands, as global RX takes them."""

    moments: Moments
    whitening: npt.NDArray[np.float64]
    """``[L, r]``: with it the squared lengths of scaled pixels are Mahalanobis distances."""

    @classmethod
    def of(cls, pixels: Pixels, ridge: float = 0.0) -> GlobalBackground:
        """Estimate it.

        Args:
            pixels: ``[N, L]``, an array or read by slices.
            ridge: added to the correlations' diagonal, as the setting of RX.
        """
        found = moments(pixels)
        if not found.varying.any():
            return cls(found, np.zeros((found.varying.size, 0)))
        return cls(found, whitening(pixels, found, ridge))

    def distances_of(self, pixels: Pixels) -> npt.NDArray[np.float64]:
        """Return squared Mahalanobis distances ``[N]`` of pixels ``[N, L]``."""
        return squared_lengths(pixels, self.moments, self.whitening)

    def contributions(self, x: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return the contributions of the bands to the distance, float64 ``[..., L]``.

        They are 0 in bands that do not vary.

        Args:
            x: spectra ``[..., L]``.
        """
        z = (np.asarray(x, np.float64) - self.moments.mean) * self.moments.scale
        return z * ((z @ self.whitening) @ self.whitening.T)

    def precision(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return mean ``[L]`` and precision matrix ``[L, L]``, 0 for bands that do not vary."""
        turned = self.whitening * self.moments.scale[:, None]
        return self.moments.mean, turned @ turned.T
