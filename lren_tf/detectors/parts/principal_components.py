"""Leading principal components of pixels, as maps of an image."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import linalg

from lren_tf.detectors.parts.min_max import MinMax
from lren_tf.detectors.parts.second_moments import Moments, Pixels, moments, projected


class PrincipalAxes(NamedTuple):
    """Principal axes of pixels of L bands, by which other pixels make maps too."""

    moments: Moments
    axes: npt.NDArray[np.float64]
    """``[L, r]``, from the largest variance down."""
    kept: npt.NDArray[np.bool_]
    """``[r]``, False where the variance is rounding error: scaled, it would be noise."""
    ranges: tuple[MinMax, ...]
    """Range of each map that is kept, over the pixels that the axes are of."""

    @classmethod
    def of(cls, pixels: Pixels, components: int) -> PrincipalAxes:
        """Find them, those of the covariance of pixels ``[N, L]``.

        The pixels are read twice and never held. Which variances are rounding error is judged on
        the maps, which have digits where the covariance has none left.
        """
        found = moments(pixels)
        # One factor for all bands, so that the axes are those of the pixels as they are.
        shared = found.scale.min() / found.scale
        values, axes = linalg.eigh(
            found.covariance * np.outer(shared, shared),
            subset_by_index=[len(shared) - components, len(shared) - 1],
        )
        leading = axes[:, np.argsort(-values)] * shared[:, None]
        scores = _scores(pixels, found, leading)
        spread = scores.std(axis=0)
        kept = spread > spread[0] * max(pixels.shape) * np.finfo(np.float64).eps
        return cls(found, leading, kept, tuple(MinMax.of(values) for values in scores.T[kept]))

    def maps(self, pixels: Pixels, grid: tuple[int, int]) -> list[npt.NDArray[np.float64]]:
        """Maps [H, W] of pixels ``[N, L]``, in [0, 1] for those that the axes are of."""
        scores = _scores(pixels, self.moments, self.axes).T[self.kept]
        pairs = zip(self.ranges, scores, strict=True)
        return [of.scaled(image.reshape(grid)) for of, image in pairs]


def principal_maps(
    pixels: Pixels, grid: tuple[int, int], components: int
) -> list[npt.NDArray[np.float64]]:
    """The leading principal component maps [H, W] of pixels [N, L], each scaled to [0, 1]."""
    return PrincipalAxes.of(pixels, components).maps(pixels, grid)


def _scores(
    pixels: Pixels, of: Moments, axes: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Scores [N, r] of pixels."""
    return np.concatenate(list(projected(pixels, of, axes, "principal components")))
