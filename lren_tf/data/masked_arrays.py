"""Masked arrays (`numpy.ma`): their mask marks values that are no-data."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from lren_tf.data.valid_pixels import find_complete


class Unmasked(NamedTuple):
    """A masked array taken apart."""

    values: np.ndarray
    """The array without its mask, not copied; what the mask hid may be anything."""
    valid: np.ndarray | None
    """bool, True on pixels that hold data, in the shape of the array without its bands; None
    where all do."""
    good_bands: np.ndarray | None
    """[B] bool, False on bands that hold no data; None where all hold some."""


def unmask(
    values: Any, valid: np.ndarray | None = None, good_bands: np.ndarray | None = None
) -> Unmasked:
    """The values, the valid pixels and the good bands of a cube or table, masked or not.

    A band that is masked in every pixel that has anything else is not a good one. A pixel with
    a masked value in a good band holds no data, as `find_valid` has it for no-data values.

    Args:
        values: [H, W, B] or [N, B]; anything that is not a masked array of two or three axes
            comes back as it is.
        valid: bool, False on pixels that are known to hold no data; None for none.
        good_bands: [B] bool, False on bands that do not matter; None for none.
    """
    if not isinstance(values, np.ma.MaskedArray):
        return Unmasked(values, valid, good_bands)
    # `getdata` would keep the class of a subclass; the mask is all that may be lost here.
    data = values.view(np.ndarray)
    mask = np.ma.getmask(values)
    if not isinstance(mask, np.ndarray) or mask.dtype != bool:
        return Unmasked(data, valid, good_bands)
    if data.ndim not in (2, 3) or 0 in data.shape:
        return Unmasked(data, valid, good_bands)
    found = find_complete(mask, mask=valid, good_bands=good_bands)
    return Unmasked(data, found.valid, found.good_bands)
