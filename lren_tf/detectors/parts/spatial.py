"""Filters on single-band maps that several detectors share."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import ModuleType

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from lren_tf.errors import InputError

_SHORTEST_AXIS = 3
"""Pixels along an axis from which scikit-image's max-tree finds the right neighbours."""


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


def otsu_threshold(image: npt.NDArray[np.float64]) -> float:
    """The value that parts a map [H, W] into two classes of least variance, of 256 levels.

    Source: N. Otsu, "A threshold selection method from gray-level histograms", IEEE Transactions
    on Systems, Man, and Cybernetics 9(1), 1979.

    Raises:
        InputError: scikit-image is not installed.
    """
    try:
        from skimage.filters import threshold_otsu
    except ImportError:
        raise InputError(
            "Otsu's threshold needs scikit-image, which is not installed; "
            "run pip install 'lren-tf[detectors]'."
        ) from None
    return float(threshold_otsu(image))


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
    opened = area_opening(image, area, corners=corners)
    closing = morphology().area_closing
    closed = _framed(closing, image, image.max(), area, 2 if corners else 1)
    return (image - opened) + (closed - image)


def area_opening(image: np.ndarray, area: int, *, corners: bool = False) -> np.ndarray:
    """A map [H, W] without its bright structures of fewer than `area` pixels, same dtype.

    Raises:
        InputError: scikit-image is not installed.
    """
    opening = morphology().area_opening
    return _framed(opening, image, image.min(), area, 2 if corners else 1)


def _framed(
    area_filter: Callable[..., np.ndarray],
    image: np.ndarray,
    fill: float,
    area: int,
    connectivity: int,
) -> np.ndarray:
    """The filter of a map that may be one or two pixels wide, where it crashes or is wrong.

    scikit-image's max-tree tells neighbours by their distance in memory, which an axis of one or
    two pixels leaves ambiguous. Such a map gets a frame of the value at which the filter ends
    anyway: the frame is part of no structure, so it changes none.
    """
    frame = [(0, max(0, _SHORTEST_AXIS - length)) for length in image.shape]
    framed = np.pad(image, frame, constant_values=fill)
    filtered = area_filter(framed, area, connectivity=connectivity)
    return filtered[: image.shape[0], : image.shape[1]]


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
