"""Spatial filters on maps that several detectors share."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import numpy.typing as npt

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


def attribute_difference(image: npt.NDArray[np.float64], area: int) -> npt.NDArray[np.float64]:
    """What the area filter removes from a map: bright and dark structures, both as positive.

    (f − area_opening(f)) + (area_closing(f) − f): an opening flattens every connected
    structure (by edges, not corners) brighter than its surroundings and smaller than `area`
    pixels, a closing every darker one.

    Args:
        image: f, [H, W].
        area: pixels; a structure of this many stays in the image.

    Raises:
        InputError: scikit-image is not installed.
    """
    filters = morphology()
    opened = filters.area_opening(image, area)
    closed = filters.area_closing(image, area)
    return (image - opened) + (closed - image)
