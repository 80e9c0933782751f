"""Valid pixels of a cube, by no-data values, NaN and the mask of the user."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from lren_tf.data.array_checks import iter_chunks
from lren_tf.data.pixel_matrix import PixelMatrix

NoData = float | np.ndarray
"""A value that marks missing data, or [B] one for each band, NaN for none."""

# Headers print a no-data value with fewer digits than float32 has.
_RELATIVE = 1e-6

_Range = tuple["np.ndarray | None", float, float]
"""The bands in which a value marks missing data, None for all, and its limits."""


class Validity(NamedTuple):
    """Result of `find_valid`."""

    valid: np.ndarray | None
    """[H, W] bool, or None where every pixel holds data."""
    good_bands: np.ndarray | None
    """[B] bool, or None where every band is good."""
    partial: int
    """Pixels left out though some of their good bands do hold data."""
    empty_bands: np.ndarray
    """[B] bool: bands that were good, and hold data in no pixel."""


def find_valid(
    cube: np.ndarray,
    *,
    no_data: Iterable[NoData] = (),
    mask: np.ndarray | None = None,
    good_bands: np.ndarray | None = None,
) -> Validity:
    """Find the pixels with a complete spectrum.

    A value is missing where it is NaN, infinite or one of `no_data`. A band that is missing in
    every pixel that has anything else is not a good one. A pixel is valid where the mask says
    so and no good band is missing: one fill value among measurements makes an outlier of a
    pixel that is none.

    Args:
        cube: [H, W, B] real numbers, looked at in chunks of bounded size.
        no_data: values that mark missing data, in all bands or one in each; those that the
            dtype cannot hold match nothing.
        mask: [H, W] bool, False on pixels to be left out; None for none.
        good_bands: [B] bool, False on bands that do not matter; None for none.

    Returns:
        Mask and bands; the mask can be False everywhere.
    """
    height, width, bands = cube.shape
    good = np.ones(bands, bool) if good_bands is None else good_bands.copy()
    inside = np.ones(height * width, bool) if mask is None else mask.reshape(-1)
    ranges = _ranges(no_data, cube.dtype)
    if not ranges and cube.dtype.kind != "f":
        return _found(inside, good, 0, np.zeros(bands, bool), (height, width))

    pixels = PixelMatrix(cube)

    def missing() -> Iterator[tuple[int, np.ndarray]]:
        return ((start, _missing(chunk, ranges)) for start, chunk in iter_chunks(pixels))

    return _complete(missing, inside, good, (height, width))


def find_complete(
    missing: np.ndarray,
    *,
    mask: np.ndarray | None = None,
    good_bands: np.ndarray | None = None,
) -> Validity:
    """Find the pixels with a complete spectrum, by the rules of `find_valid`.

    Args:
        missing: [H, W, B] or [N, B] bool, True on values that hold no data.
        mask: bool in that shape without the bands, False on pixels to be left out; None for none.
        good_bands: [B] bool, False on bands that do not matter; None for none.

    Returns:
        Mask, in the shape of `missing` without its bands, and bands; the mask can be False
        everywhere.
    """
    *grid, bands = missing.shape
    good = np.ones(bands, bool) if good_bands is None else good_bands.copy()
    inside = np.ones(int(np.prod(grid)), bool) if mask is None else mask.reshape(-1)
    pixels = PixelMatrix(missing)
    return _complete(lambda: iter_chunks(pixels), inside, good, tuple(grid))


def _complete(
    missing: Callable[[], Iterator[tuple[int, np.ndarray]]],
    inside: np.ndarray,
    good: np.ndarray,
    grid: tuple[int, ...],
) -> Validity:
    """Pixels that `missing` leaves; it yields start and missing values [n, B] of each chunk."""
    some, every = np.empty(len(inside), bool), np.empty(len(inside), bool)
    holders, missing_in = 0, np.zeros(len(good), np.int64)
    for start, chunk in missing():
        rows = slice(start, start + len(chunk))
        absent = chunk & good
        count = np.count_nonzero(absent, axis=1)
        some[rows] = count > 0
        every[rows] = count == np.count_nonzero(good)
        holding = inside[rows] & ~every[rows]
        holders += int(np.count_nonzero(holding))
        missing_in += np.count_nonzero(absent[holding], axis=0)
    empty = good & (missing_in == holders) if holders else np.zeros(len(good), bool)
    if empty.any():
        good &= ~empty
        for start, chunk in missing():
            some[start : start + len(chunk)] = (chunk & good).any(axis=1)
    partial = int(np.count_nonzero(inside & some & ~every))
    return _found(inside & ~some, good, partial, empty, grid)


def holds_no_data_value(values: np.ndarray, no_data: Iterable[NoData]) -> np.ndarray:
    """Mark the elements of an array that hold one of the no-data values.

    Floats match within the digits that headers print; NaN and infinity are not looked for.
    """
    return _in_ranges(values, _ranges(no_data, values.dtype))


def _found(
    valid: np.ndarray, good: np.ndarray, partial: int, empty: np.ndarray, grid: tuple[int, ...]
) -> Validity:
    return Validity(
        None if valid.all() else valid.reshape(grid), None if good.all() else good, partial, empty
    )


def _missing(chunk: np.ndarray, ranges: list[_Range]) -> np.ndarray:
    marked = _in_ranges(chunk, ranges)
    return marked | ~np.isfinite(chunk) if chunk.dtype.kind == "f" else marked


def _in_ranges(values: np.ndarray, ranges: list[_Range]) -> np.ndarray:
    found = np.zeros(values.shape, bool)
    for bands, low, high in ranges:
        within = (values >= low) & (values <= high)
        found |= within if bands is None else within & bands
    return found


def _ranges(no_data: Iterable[NoData], dtype: np.dtype) -> list[_Range]:
    ranges: list[_Range] = []
    for given in no_data:
        if np.ndim(given) == 0:
            limits = _limits(float(given), dtype)
            if limits is not None:
                ranges.append((None, *limits))
            continue
        # One range for each value, with the bands in which it stands.
        for value in np.unique(given):
            limits = _limits(float(value), dtype)
            if limits is not None:
                ranges.append((np.equal(given, value), *limits))
    return ranges


def _limits(value: float, dtype: np.dtype) -> tuple[float, float] | None:
    """Smallest and largest number of the dtype that stand for a no-data value."""
    if not np.isfinite(value):
        return None  # missing as it is
    if dtype.kind != "f":
        held = np.iinfo(dtype)
        whole = float(value).is_integer() and held.min <= value <= held.max
        return (dtype.type(int(value)), dtype.type(int(value))) if whole else None
    slack = abs(value) * _RELATIVE
    largest = float(np.finfo(dtype).max)
    if abs(value) - slack > largest:
        return None
    low, high = (float(np.clip(v, -largest, largest)) for v in (value - slack, value + slack))
    return dtype.type(low), dtype.type(high)
