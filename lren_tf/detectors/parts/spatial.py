"""Filters on single-band maps that several detectors share."""

from __future__ import annotations

from functools import partial
from types import ModuleType

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from lren_tf.errors import InputError


def morphology() -> ModuleType:
    """`skimage.morphology`, imported when first needed: scikit-image is optional.

    Raises:
        InputError: scikit-image is not installed.
    """
    try:
        from skimage import morphology as module
    except ImportError:
        raise InputError(
            "the area filter needs scikit-image, which is not installed; "
            "run pip install 'lren-tf[detectors]'."
        ) from None
    return module


def attribute_difference(
    image: npt.NDArray[np.float64], area: int, *, corners: bool = False
) -> npt.NDArray[np.float64]:
    """What the area filter removes from a map: bright and dark structures, both as positive.

    (f − γ(f)) + (φ(f) − f): the area opening γ flattens every connected structure brighter
    than its surroundings and smaller than `area` pixels, the area closing φ every darker one
    (L. Vincent, "Morphological area openings and closings for grey-scale images", 1994).

    Args:
        image: f, [H, W].
        area: pixels; a structure of this many stays in the image.
        corners: whether pixels that touch only at a corner are one structure.

    Raises:
        InputError: scikit-image is not installed.
    """
    filters = morphology()
    connectivity = 2 if corners else 1
    opened = filters.area_opening(image, area, connectivity=connectivity)
    closed = filters.area_closing(image, area, connectivity=connectivity)
    return (image - opened) + (closed - image)


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
