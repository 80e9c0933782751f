"""Checks of arrays of pixels, in chunks of bounded size: real numbers, finite, not constant."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from lren_tf.data.pixel_matrix import PixelMatrix
from lren_tf.errors import InputError

ELEMENTS_AT_A_TIME = 1 << 20
"""Elements of a chunk, so that its temporaries take a few MiB."""


def check_finite_pixels(
    pixels: np.ndarray | PixelMatrix,
    grid_width: int | None = None,
    what: str = "cube",
    *,
    valid: np.ndarray | None = None,
    bands: np.ndarray | None = None,
) -> None:
    """Refuse NaN and infinity, saying how many there are and where the first one is.

    Args:
        pixels: [N, L] real numbers of any dtype; looked at in chunks of bounded size.
        grid_width: W of the image the pixels come from; None for samples without a grid.
        what: how the message calls the data.
        valid: [N] bool, False on pixels that are not looked at; None for all.
        bands: [L] bool, False on bands that are not looked at; None for all.

    Raises:
        InputError: a value is not finite; the message gives the count, the first bad pixel
            (row and column with a `grid_width`, else sample index) and its band, from 0.
            Also when `pixels` is not a real 2-D array or `grid_width` is below 1.
    """
    pixels = _pixel_table(pixels, what)
    if grid_width is not None and grid_width < 1:
        raise InputError(
            f"{what}: grid_width is {grid_width}; expected at least 1, pass the image's columns."
        )
    if pixels.dtype.kind != "f":
        return
    bad, first = 0, None
    for start, chunk in iter_chunks(pixels):
        finite = np.isfinite(chunk)
        if bands is not None:
            finite |= ~bands
        if valid is not None:
            finite |= ~valid[start : start + len(chunk), None]
        if finite.all():
            continue
        bad += int(finite.size - np.count_nonzero(finite))
        if first is None:
            row, column = np.unravel_index(int(np.argmin(finite)), finite.shape)
            first = start + int(row), int(column)
    if first is None:
        return
    index, band = first
    where = (
        f"sample {index}"
        if grid_width is None
        else f"row {index // grid_width}, column {index % grid_width}"
    )
    values = "1 value is" if bad == 1 else f"{bad} values are"
    raise InputError(
        f"{what}: {values} NaN or infinite, the first at {where}, band {band} (counted from 0); "
        "expected finite numbers, remove those bands or fill those pixels."
    )


def varying_bands(
    pixels: np.ndarray | PixelMatrix,
    what: str = "cube",
    *,
    valid: np.ndarray | None = None,
    bands: np.ndarray | None = None,
) -> np.ndarray:
    """Find the bands that are not constant, and so can be standardised.

    Args:
        pixels: [N, L] real numbers, finite where they are looked at (see
            `check_finite_pixels`).
        what: how the message calls the data.
        valid: [N] bool, False on pixels that are not looked at; None for all.
        bands: [L] bool, False on bands that cannot be used whatever they hold; None for none.

    Returns:
        [L] bool, False wherever `bands` is.

    Raises:
        InputError: every band is constant, or `pixels` is not a real 2-D array with at
            least one sample and one band.
    """
    pixels = pixel_table(pixels, what)
    varying = varies(pixels, valid)
    if bands is not None:
        varying &= bands
    looked_at = len(pixels) if valid is None else int(np.count_nonzero(valid))
    refuse_constant(varying, looked_at, what, bands)
    return varying


def refuse_constant(
    varying: np.ndarray, pixels: int, what: str, bands: np.ndarray | None = None
) -> None:
    """Refuse pixels of which no band varies.

    Args:
        varying: [L] bool, which bands vary.
        pixels: number of pixels that were looked at.
        what: how the message calls the data.
        bands: [L] bool, bands that were looked at; None for all.

    Raises:
        InputError: none varies.
    """
    if varying.any():
        return
    count = len(varying) if bands is None else int(np.count_nonzero(bands))
    raise InputError(
        f"{what}: all {count} bands are constant over the {pixels} pixels; "
        "expected at least one band that varies, check that this is the image and not a "
        "filled or cropped copy."
    )


def varies(pixels: np.ndarray | PixelMatrix, valid: np.ndarray | None = None) -> np.ndarray:
    """Find the bands of pixels [N, L] that vary over the valid ones [N]; bool [L]."""
    reference = pixels[0 if valid is None else int(np.argmax(valid))]
    varying = np.zeros(pixels.shape[1], bool)
    for start, chunk in iter_chunks(pixels):
        # Without a copy of all valid pixels.
        looked_at = chunk if valid is None else chunk[valid[start : start + len(chunk)]]
        varying |= (looked_at != reference).any(axis=0)
    return varying


def real_array(values: object, what: str) -> np.ndarray:
    """`values` as an ndarray of bool, integer or float dtype.

    Raises:
        InputError: it is masked, no array, or of another dtype.
    """
    if isinstance(values, np.ma.MaskedArray):
        raise InputError(
            f"{what} is a masked array, whose mask would be lost; expected a plain array, fill "
            "the masked values first."
        )
    try:
        array = np.asarray(values)
    except Exception as error:  # whatever an array-like's own conversion raises
        raise InputError(
            f"{what} cannot be read as an array ({type(error).__name__}); expected a NumPy array "
            "of numbers, convert it first."
        ) from error
    if array.dtype.kind not in "biuf":
        raise InputError(
            f"{what} has dtype {array.dtype}; expected real numbers, convert it first."
        )
    return array


def iter_chunks(array: np.ndarray | PixelMatrix) -> Iterator[tuple[int, np.ndarray]]:
    """Consecutive slices of the first axis with about `ELEMENTS_AT_A_TIME` elements each."""
    for rows in row_parts(array.shape, ELEMENTS_AT_A_TIME):
        yield rows.start, array[rows]


def row_parts(shape: Sequence[int], elements: int, fewest: int = 1) -> Iterator[slice]:
    """Consecutive slices of the first axis of an array with about so many elements each.

    Args:
        shape: of the array, with an axis at least.
        elements: of a part; a part has a row at least.
        fewest: rows of a part.
    """
    rows = max(fewest, elements // max(1, math.prod(shape[1:])))
    for first in range(0, shape[0], rows):
        yield slice(first, first + rows)


def pixel_table(pixels: object, what: str) -> np.ndarray | PixelMatrix:
    """`pixels` as a real 2-D array, or as it is if it is a `PixelMatrix`; not empty.

    Raises:
        InputError: it is neither, or has no sample or no band.
    """
    table = _pixel_table(pixels, what)
    if 0 in table.shape:
        raise InputError(
            f"{what}: the pixels have shape {table.shape}; expected at least one sample and "
            "one band, check how they were selected."
        )
    return table


def _pixel_table(pixels: object, what: str) -> np.ndarray | PixelMatrix:
    if isinstance(pixels, PixelMatrix):
        return pixels
    array = real_array(pixels, what)
    if array.ndim != 2:
        raise InputError(
            f"{what}: the pixels have shape {array.shape}; expected samples × bands, reshape "
            "them first."
        )
    return array
