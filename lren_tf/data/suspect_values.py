"""Values that are most likely not measurements, although the file does not mark them.

A detector would take them for background, or for the anomaly of the scene. Three kinds are searched
for: spectra of one constant, the same spectrum in many pixels, and values that lie a million times
farther from a band than the band is wide. Of large images only a sample is searched.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from lren_tf.data.array_checks import iter_chunks
from lren_tf.data.pixel_matrix import PixelMatrix

# Different constants among spectra, above which none of them marks anything.
_MOST_CONSTANTS = 1000
# Looked at for suspect spectra, and copied at once.
_MOST_ELEMENTS = 1 << 27
_COPIED_ELEMENTS = 1 << 16
# Of the pixels: as many spectra of one and the same constant are no accident.
_SHARE = 0.005
# Zeros in all of so many bands are none either; in fewer pixels a dark one may hold them.
_ZERO_PIXELS, _ZERO_BANDS = 3, 3
# In the middle half of a band's values: no measurement is that far from all others.
_FAR = 1e6
_SAMPLED_PIXELS = 1 << 14


class SuspectValue(NamedTuple):
    """A value and the pixels that hold it."""

    value: float
    pixels: int
    share: float
    """Share of the pixels that were looked at."""


def constant_spectra(
    cube: np.ndarray, valid: np.ndarray | None, good_bands: np.ndarray | None
) -> list[SuspectValue]:
    """Values that many pixels hold in every band, the most frequent first.

    Args:
        cube: [H, W, B] real numbers, looked at in chunks of bounded size.
        valid: [H, W] bool, False on pixels that are not looked at; None for all.
        good_bands: [B] bool, False on bands that are not looked at; None for all.

    Returns:
        Those of at least 0.5 % of the pixels, and 0 in at least 3 pixels; none where all spectra
        are constant, or there is a single band.
    """
    pixels = _looked_at(cube, valid, good_bands)
    count, bands = pixels.shape
    if bands < 2 or not count:
        return []
    counts: dict[float, int] = {}
    for _, chunk in iter_chunks(pixels):
        # Two bands first: most spectra differ there already.
        same = np.flatnonzero(chunk[:, 0] == chunk[:, -1])
        at_once = max(1, _COPIED_ELEMENTS // bands)
        for start in range(0, len(same), at_once):
            spectra = chunk[same[start : start + at_once]]
            constant = spectra[(spectra == spectra[:, :1]).all(axis=1), 0]
            for value, times in zip(*np.unique(constant, return_counts=True), strict=True):
                counts[float(value)] = counts.get(float(value), 0) + int(times)
            if len(counts) > _MOST_CONSTANTS:
                return []  # a picture in grey, not a value that marks anything
    if sum(counts.values()) == count:
        return []
    found = [SuspectValue(value, times, times / count) for value, times in counts.items()]
    zeros = _ZERO_PIXELS if bands >= _ZERO_BANDS else count + 1
    found = [one for one in found if one.share >= _SHARE or (not one.value and one.pixels >= zeros)]
    return sorted(found, key=lambda one: (-one.pixels, one.value))


def repeated_spectrum(
    cube: np.ndarray, valid: np.ndarray | None, good_bands: np.ndarray | None
) -> SuspectValue | None:
    """The spectrum that most pixels share, if it is no constant, as its value in the first band.

    Args:
        cube, valid, good_bands: as for `constant_spectra`.

    Returns:
        None where fewer than 0.5 % of the pixels share one, all do, or there are fewer than three
        bands.
    """
    pixels = _looked_at(cube, valid, good_bands)
    count, bands = pixels.shape
    if bands < 3 or count < 2:
        return None
    # Three bands first, as above; then the whole spectra of the pixels that agree in them.
    few = np.concatenate([chunk[:, [0, bands // 2, -1]] for _, chunk in iter_chunks(pixels)])
    _, group, sizes = np.unique(few, axis=0, return_inverse=True, return_counts=True)
    largest = int(np.argmax(sizes))
    if sizes[largest] < max(2, _SHARE * count):
        return None
    members = np.flatnonzero(group.ravel() == largest)
    spectrum = pixels[int(members[0])]
    times = sum(
        int(np.count_nonzero((pixels[part] == spectrum).all(axis=1)))
        for part in np.array_split(members, -(-len(members) * bands // _COPIED_ELEMENTS))
    )
    if times < max(2, _SHARE * count) or times == count or (spectrum == spectrum[0]).all():
        return None
    return SuspectValue(float(spectrum[0]), times, times / count)


def far_value(
    cube: np.ndarray, valid: np.ndarray | None, good_bands: np.ndarray | None
) -> SuspectValue | None:
    """The most frequent of the values that lie absurdly far from the others of their band.

    That is a million times the range of the middle half of a band's values from its middle.
    Numbers of 16 bits or fewer are not looked at: they hold no such values.

    Args:
        cube, valid, good_bands: as for `constant_spectra`.

    Returns:
        The value, and how many pixels hold one as far.
    """
    if cube.dtype.kind not in "iuf" or cube.dtype.itemsize < 4:
        return None
    pixels = _looked_at(cube, valid, good_bands)
    count = len(pixels)
    if count < 4:
        return None
    sample = pixels[:: -(-count // _SAMPLED_PIXELS)].astype(np.float64)
    low, middle, high = np.quantile(sample, [0.25, 0.5, 0.75], axis=0)
    with np.errstate(over="ignore"):
        # A band of few different values has no width; then its size has to do.
        width = np.where(high > low, high - low, np.maximum(np.abs(middle), 1.0))
        reach = _FAR * width
    far = 0
    counts: dict[Any, int] = {}
    for _, chunk in iter_chunks(pixels):
        with np.errstate(over="ignore", invalid="ignore"):
            # Where the extremes are near, all are; NaN is neither.
            extremes = np.stack([chunk.min(axis=0), chunk.max(axis=0)]).astype(np.float64)
            if (np.abs(extremes - middle) <= reach).all():
                continue
            away = np.abs(chunk.astype(np.float64) - middle) > reach
        if not away.any():
            continue
        far += int(np.count_nonzero(away.any(axis=1)))
        for value, times in zip(*np.unique(chunk[away], return_counts=True), strict=True):
            if value in counts or len(counts) < _MOST_CONSTANTS:
                counts[value] = counts.get(value, 0) + int(times)
    if not far:
        return None
    return SuspectValue(float(max(counts, key=lambda one: counts[one])), far, far / count)


def _looked_at(
    cube: np.ndarray, valid: np.ndarray | None, good_bands: np.ndarray | None
) -> PixelMatrix:
    step = -(-cube.size // _MOST_ELEMENTS)
    if step > 1:  # every so many lines of a large image tell it well enough
        cube, valid = cube[::step], None if valid is None else valid[::step]
    return PixelMatrix(cube, valid, good_bands)
