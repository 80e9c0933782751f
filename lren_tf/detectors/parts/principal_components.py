"""Leading principal components of pixels, as maps of an image."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import linalg

from lren_tf.detectors.parts.second_moments import Pixels, moments, projected


def principal_maps(
    pixels: Pixels, grid: tuple[int, int], components: int
) -> list[npt.NDArray[np.float64]]:
    """The leading principal component maps [H, W] of pixels [N, L], each scaled to [0, 1].

    The axes are those of the covariance of the pixels, which are read twice and never held.
    Components whose variance is rounding error are left out: scaled, they would be noise. That
    is judged on the maps, which have digits where the covariance has none left.
    """
    of = moments(pixels)
    # One factor for all bands, so that the axes are those of the pixels as they are.
    shared = of.scale.min() / of.scale
    values, axes = linalg.eigh(
        of.covariance * np.outer(shared, shared),
        subset_by_index=[len(shared) - components, len(shared) - 1],
    )
    leading = axes[:, np.argsort(-values)] * shared[:, None]
    scores = np.concatenate(list(projected(pixels, of, leading, "principal components")))
    spread = scores.std(axis=0)
    real = spread > spread[0] * max(pixels.shape) * np.finfo(np.float64).eps
    return [unit_range(image.reshape(grid)) for image in scores.T[real]]


def unit_range(image: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """An image scaled to [0, 1]; zeros if it is constant."""
    low, high = image.min(), image.max()
    return (image - low) / (high - low) if high > low else np.zeros_like(image)
