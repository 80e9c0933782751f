"""Standardisation of pixels: parameters learned from a scene, and their application.

Everything is float64 until the last cast: a band of large numbers with a small spread
loses its digits in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from lren_tf.data.array_checks import iter_chunks, pixel_table, refuse_constant
from lren_tf.data.pixel_matrix import PixelMatrix, as_pixel_matrix
from lren_tf.errors import InputError

_ROWS_IN_CACHE = 1024
"""Pixels standardised at a time: they stay in the cache between the operations."""
PIXELS_AT_A_TIME = 65536
"""Pixels standardised at a time, so that float64 temporaries stay small. Another number rounds
the sums over pixels differently."""


class Scaler(NamedTuple):
    """Per-band standardisation x → ((x − low) / span − mean) / std, float64."""

    low: np.ndarray | np.float64
    """Global minimum, scalar; 0 when only the z-score is taken."""
    span: np.ndarray | np.float64
    """Global range, scalar; 1 when only the z-score is taken."""
    mean: np.ndarray
    """Mean of each band after low and span, ``[L]``; that of 0 for bands that were no use."""
    std: np.ndarray
    """Population standard deviation of each band after low and span, ``[L]``; 1 for
    bands that are not used."""
    used: np.ndarray
    """Bands that are good and vary, bool ``[L]``; the others do not enter the network."""


def fit_scaler(
    pixels: np.ndarray | PixelMatrix,
    scaling: str,
    what: str = "cube",
    *,
    good_bands: np.ndarray | None = None,
    refuse_non_finite: Callable[[], None] | None = None,
) -> Scaler:
    """Learn the standardisation of a scene, in one pass over its pixels.

    Args:
        pixels: ``[N, L]``, any real dtype, finite in its good bands; read in chunks.
        scaling: ``"zscore"`` or ``"minmax_zscore"`` (see ``Settings.scaling``).
        what: how messages call the data.
        good_bands: bool ``[L]``, False on bands whose values must not matter; None for none.
        refuse_non_finite: called where NaN or infinity may be among the values, to look for them
            and refuse them with their places; None where they have been looked for.

    Raises:
        InputError: all bands are constant, or their variances are beyond float64.
    """
    if good_bands is not None:
        chosen = as_pixel_matrix(pixels).of_bands(good_bands)
        of_good = fit_scaler(chosen, scaling, what, refuse_non_finite=refuse_non_finite)
        return _among_all(of_good, good_bands)
    pixels = pixel_table(pixels, what)
    to_unit = scaling == "minmax_zscore"
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        used, low, span, mean, variance = (
            _statistics(pixels[:], to_unit)
            if len(pixels) <= PIXELS_AT_A_TIME
            else _statistics_by_chunks(pixels, to_unit)
        )
    if refuse_non_finite is not None and not np.isfinite(mean).all():
        refuse_non_finite()
    refuse_constant(used, len(pixels), what)
    if not (np.isfinite(span) and np.isfinite(variance).all()):
        raise InputError(
            f"{what}: the values, up to {np.abs(extremes(pixels)).max():.3g}, are too "
            "large to take their variance in float64; expected smaller ones, look for fill values."
        )
    std = np.where(used, np.sqrt(variance), 1.0)
    # A band whose spread underflows in float64 varies by less than arithmetic can use.
    used = used & (std > 0)
    if not used.any():
        raise InputError(
            f"{what}: all {len(used)} bands vary by too little to take their variance in float64; "
            "expected at least one band that varies, rescale the values."
        )
    return Scaler(low, span, mean, np.where(used, std, 1.0), used)


class _Statistics(NamedTuple):
    """Bands that vary, and the values of a :class:`Scaler`, with the variance."""

    used: np.ndarray
    low: np.float64
    span: np.float64
    mean: np.ndarray
    variance: np.ndarray


def _statistics(pixels: np.ndarray, to_unit: bool) -> _Statistics:
    """Statistics of pixels in memory, float64: mean first, then the squares about it."""
    n = len(pixels)
    low, span = np.float64(0.0), np.float64(1.0)
    if to_unit:
        low, high = extremes(pixels)
        span = high - low
    unit = _unit(pixels, low, span)
    mean = unit.sum(axis=0) / n
    variance = np.square(unit - mean).sum(axis=0) / n
    return _Statistics((pixels != pixels[0]).any(axis=0), low, span, mean, variance)


def _statistics_by_chunks(pixels: np.ndarray | PixelMatrix, to_unit: bool) -> _Statistics:
    """The same of pixels of any number, read once: statistics of chunks, joined (Chan, 1979).

    Each chunk has its squares about its own mean, so that nothing cancels for bands far from zero.
    """
    first = pixels[0:1]
    used = np.zeros(pixels.shape[1], bool)
    low, high = np.float64(np.inf), np.float64(-np.inf)
    count, mean, squares = 0, np.zeros(pixels.shape[1]), np.zeros(pixels.shape[1])
    for _, chunk in iter_chunks(pixels):
        used |= (chunk != first).any(axis=0)
        if to_unit:
            low, high = np.minimum(low, chunk.min()), np.maximum(high, chunk.max())
        wide = chunk.astype(np.float64)
        n = len(chunk)
        of_chunk = wide.sum(axis=0) / n
        wide -= of_chunk
        away = of_chunk - mean
        squares += np.einsum("ij,ij->j", wide, wide) + away**2 * (count * n / (count + n))
        mean += away * (n / (count + n))
        count += n
    low, span = (low, high - low) if to_unit else (np.float64(0.0), np.float64(1.0))
    return _Statistics(used, low, span, (mean - low) / span, squares / count / span**2)


def _among_all(scaler: Scaler, good_bands: np.ndarray) -> Scaler:
    """A scaler of the good bands as one of all; the others stand at 0 in the data's units."""
    mean = np.full(len(good_bands), -scaler.low / scaler.span)
    std = np.ones(len(good_bands))
    used = np.zeros(len(good_bands), bool)
    mean[good_bands], std[good_bands], used[good_bands] = scaler.mean, scaler.std, scaler.used
    return Scaler(scaler.low, scaler.span, mean, std, used)


def standardise(pixels: np.ndarray | PixelMatrix, scaler: Scaler) -> np.ndarray:
    """Standardised pixels of the bands that are used, float32 ``[N, U]``."""
    out = np.empty((len(pixels), int(scaler.used.sum())), np.float32)
    mean, std = scaler.mean[scaler.used], scaler.std[scaler.used]
    used = slice(None) if scaler.used.all() else scaler.used
    start = 0
    for chunk in _parts(pixels):
        for first in range(0, len(chunk), _ROWS_IN_CACHE):
            block = chunk[first : first + _ROWS_IN_CACHE, used]
            unit = _unit(block, scaler.low, scaler.span)
            unit -= mean
            unit /= std
            out[start : start + len(block)] = unit
            start += len(block)
    return out


def extremes(pixels: np.ndarray | PixelMatrix) -> tuple[np.float64, np.float64]:
    """Smallest and largest value of pixels ``[N, L]``."""
    found = [(chunk.min(), chunk.max()) for chunk in _parts(pixels)]
    return np.float64(min(low for low, _ in found)), np.float64(max(high for _, high in found))


def _unit(
    chunk: np.ndarray, low: np.ndarray | np.float64, span: np.ndarray | np.float64
) -> np.ndarray:
    return (chunk.astype(np.float64) - low) / span


def _parts(pixels: np.ndarray | PixelMatrix) -> Iterator[np.ndarray]:
    for start in range(0, len(pixels), PIXELS_AT_A_TIME):
        yield pixels[start : start + PIXELS_AT_A_TIME]
