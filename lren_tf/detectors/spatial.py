"""Filters on single-band maps: area attribute differences and the guided filter."""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from lren_tf.errors import InputError

_EIGHT_NEIGHBOURS = 2
"""scikit-image's `connectivity` for which pixels touching at a corner are one object."""


def attribute_difference(map: npt.ArrayLike, area: int) -> npt.NDArray[np.float64]:
    """(f − γ(f)) + (φ(f) − f): what is small in a map f [H, W], bright or dark; never negative.

    γ is the area opening, which flattens every bright object of fewer than `area` pixels to
    its surroundings, and φ the area closing, which does so to dark ones (L. Vincent,
    "Morphological area openings and closings for grey-scale images", 1994). Objects are
    8-connected: a small target that lies diagonally is one object, not several.

    Raises:
        InputError: scikit-image is not installed.
    """
    try:
        from skimage.morphology import area_closing, area_opening
    except ImportError as error:
        raise InputError(
            "scikit-image is not installed; area attribute filters need it, "
            "pip install 'lren-tf[detectors]'."
        ) from error
    f = np.asarray(map, np.float64)
    opened = area_opening(f, area, connectivity=_EIGHT_NEIGHBOURS)
    closed = area_closing(f, area, connectivity=_EIGHT_NEIGHBOURS)
    return (f - opened) + (closed - f)


def guided_filter(
    guide: npt.ArrayLike, image: npt.ArrayLike, radius: int, eps: float
) -> npt.NDArray[np.float64]:
    """Guided filter of an image [H, W] by a guide [H, W].

    In every window w of (2·radius + 1)² pixels, cut off at the border, the image p is fitted
    by the guide I: a = cov_w(I, p) / (var_w(I) + eps), b = mean_w(p) − a·mean_w(I). A pixel's
    value is ā·I + b̄, with a and b averaged over the windows that hold it. Where the guide's
    variance is far below `eps` that is a mean, where it is far above it leaves edges alone;
    `eps` is thus in squared units of the guide.

    Source: K. He, J. Sun and X. Tang, "Guided Image Filtering", IEEE TPAMI 35(6), 2013,
    doi 10.1109/TPAMI.2012.213. Neither SciPy nor scikit-image has it.
    """
    guide, image = np.asarray(guide, np.float64), np.asarray(image, np.float64)
    mean = partial(_window_mean, radius=radius)
    # Variances are differences of squares, so a large common offset would cost their digits.
    offset = guide.mean()
    centred = guide - offset
    mean_guide, mean_image = mean(centred), mean(image)
    variance = np.maximum(mean(centred * centred) - mean_guide**2, 0.0)
    a = (mean(centred * image) - mean_guide * mean_image) / (variance + eps)
    b = mean_image - a * mean_guide
    return mean(a) * centred + mean(b)


def _window_mean(values: npt.NDArray[np.float64], radius: int) -> npt.NDArray[np.float64]:
    """Mean over the pixels of a square window that lie inside the image."""

    def box(array: np.ndarray) -> np.ndarray:
        return ndimage.uniform_filter(array, 2 * radius + 1, mode="constant")

    return box(values) / box(np.ones_like(values))
